use std::num::IntErrorKind;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use chat_core::proto::Cursor;

use crate::problem::Problem;

/// The parameters of the query. Unknown ones are ignored; of several with one name, the first
/// counts.
#[derive(Debug)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// The text of a parameter.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that is a whole number, not below zero. One beyond the largest
    /// that can be told counts as that: there is nothing there, either.
    pub(crate) fn number(&self, name: &'static str) -> Result<Option<u64>, Problem> {
        self.text(name)
            .map(|text| match text.parse::<u64>() {
                Ok(number) => Ok(number),
                Err(error) if *error.kind() == IntErrorKind::PosOverflow => Ok(u64::MAX),
                Err(_) => Err(Problem::invalid(
                    name,
                    format!("the parameter \"{name}\" must be a whole number, not below zero"),
                )),
            })
            .transpose()
    }

    /// Whether something is said: `true`, or `false` as when it is left out.
    pub(crate) fn flag(&self, name: &'static str) -> Result<bool, Problem> {
        match self.text(name) {
            Some("true") => Ok(true),
            None | Some("false") => Ok(false),
            Some(_) => Err(Problem::invalid(
                name,
                format!("the parameter \"{name}\" must be true or false"),
            )),
        }
    }

    /// How many items of a list are asked for.
    pub(crate) fn limit(&self) -> Result<Option<usize>, Problem> {
        let limit = self.number("limit")?;
        Ok(limit.map(|limit| limit.try_into().unwrap_or(usize::MAX)))
    }

    /// Where a former page of a list left off.
    pub(crate) fn cursor(&self) -> Option<Cursor> {
        self.text("cursor").map(Cursor::from_text)
    }
}

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(pairs)) => Ok(Self(pairs)),
            Err(_) => Err(Problem::invalid("query", "the query of the address cannot be read")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn params(query: &str) -> Params {
        let request = axum::http::Request::get(format!("/x{query}")).body(()).unwrap();
        Params::from_request_parts(&mut request.into_parts().0, &()).await.unwrap()
    }

    #[tokio::test]
    async fn parameters_are_read_by_name() {
        let params = params("?query=a%20b+c&limit=7&limit=8&future=x&cursor=abc&=&flag").await;
        assert_eq!(params.text("query"), Some("a b c"));
        assert_eq!(params.limit().unwrap(), Some(7));
        assert_eq!(params.cursor(), Some(Cursor::from_text("abc")));
        assert_eq!(params.number("before").unwrap(), None);
        assert_eq!(params.text("flag"), Some(""));
    }

    #[tokio::test]
    async fn a_malformed_number_is_named() {
        for query in ["?limit=abc", "?limit=-1", "?limit=", "?limit=1.5", "?limit=0x10"] {
            let problem = params(query).await.limit().unwrap_err();
            assert!(format!("{problem:?}").contains("field: Some(\"limit\")"), "{query}");
        }
    }

    #[tokio::test]
    async fn a_flag_is_true_or_false() {
        let said = async |query: &str| params(query).await.flag("confirm");
        assert!(said("?confirm=true").await.unwrap());
        assert!(!said("?confirm=false").await.unwrap() && !said("").await.unwrap());
        assert!(said("?confirm").await.is_err() && said("?confirm=1").await.is_err());
    }

    #[tokio::test]
    async fn a_number_beyond_all_numbers_is_the_largest() {
        let query = "?limit=99999999999999999999999";
        assert_eq!(params(query).await.limit().unwrap(), Some(usize::MAX));
    }

    #[tokio::test]
    async fn broken_escapes_are_text() {
        assert!(params("?query=%zz%ff").await.text("query").is_some());
    }
}
