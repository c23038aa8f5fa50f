use std::time::Duration;

use chat_auth::TokenSubject;
use chat_core::proto::{DisplayName, UserId, Username};
use clap::Args;
use jiff::Timestamp;
use secrecy::ExposeSecret;

use super::{CommandError, Options, start};
use crate::DataFolder;
use crate::engine::{configured_key, issuer, own_key};

/// `chat-server token`.
#[derive(Debug, Args)]
pub(super) struct Token {
    /// The user's id
    user: UserId,
    /// The unique name the user gets at first sight
    #[arg(long)]
    username: Option<String>,
    /// The name to show
    #[arg(long)]
    name: Option<String>,
    /// How long the token is good, in seconds
    #[arg(long, default_value_t = 12 * 60 * 60)]
    expires_in: u32,
}

impl Token {
    pub(super) fn run(self, options: &Options) -> Result<(), CommandError> {
        let config = start(&options.sources()?)?;
        let key = match configured_key(&config)? {
            Some(key) => key,
            None => own_key(&DataFolder::open_shared(&config.data)?)?,
        };
        let issuer = issuer(&key, &config);
        let subject = TokenSubject {
            id: self.user,
            username: self.username.as_deref().map(Username::parse).transpose()?,
            display_name: self.name.as_deref().map(DisplayName::parse).transpose()?,
        };
        let lifetime = Duration::from_secs(self.expires_in.into());
        println!("{}", issuer.issue(&subject, Timestamp::now(), lifetime)?.expose_secret());
        Ok(())
    }
}
