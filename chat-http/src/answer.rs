use axum::Json;
use chat_core::proto::{Page, PageMeta};

use crate::problem::Problem;

/// What most handlers return.
pub(crate) type Answer<T> = Result<Json<T>, Problem>;

/// A list that is told whole.
pub(crate) fn whole_list<T>(data: Vec<T>) -> Json<Page<T>> {
    Json(Page { data, meta: PageMeta::default() })
}
