use super::super::request::Script;

/// The steps of presence. Those of the first group know leases, those of the second know users.
pub(super) struct Scripts {
    pub(super) renew: Script,
    pub(super) view: Script,
    pub(super) living: Script,
    pub(super) dead: Script,
    pub(super) forget: Script,

    pub(super) enter: Script,
    pub(super) leave: Script,
    pub(super) gone: Script,
    pub(super) show: Script,
}

macro_rules! script {
    ($beginning:literal, $rest:literal) => {
        Script::new(concat!(include_str!($beginning), "\n", include_str!($rest)))
    };
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            renew: script!("leases.lua", "renew.lua"),
            view: script!("leases.lua", "view.lua"),
            living: script!("leases.lua", "living.lua"),
            dead: script!("leases.lua", "dead.lua"),
            forget: script!("leases.lua", "forget.lua"),
            enter: script!("entries.lua", "enter.lua"),
            leave: script!("entries.lua", "leave.lua"),
            gone: script!("entries.lua", "gone.lua"),
            show: script!("entries.lua", "show.lua"),
        }
    }
}
