use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use chat_core::proto::Cursor;

use crate::problem::Problem;

/// The parameters of the query. Unknown ones are ignored. One that is asked for is there once or not
/// at all: of two values, nobody knows which is meant.
#[derive(Debug)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// The text of a parameter.
    pub(crate) fn text(&self, name: &'static str) -> Result<Option<&str>, Problem> {
        let mut values =
            self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => {
                Err(Problem::invalid(name, format!("the parameter \"{name}\" is given twice")))
            }
        }
    }

    /// The value of a parameter that is a whole number, not below zero, written as JSON writes it:
    /// digits alone, without a sign or a zero before them.
    pub(crate) fn number(&self, name: &'static str) -> Result<Option<u64>, Problem> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let is_written_well = text.bytes().all(|byte| byte.is_ascii_digit())
            && (text == "0" || !text.starts_with('0'));
        let number = is_written_well.then(|| text.parse().ok()).flatten();
        number.map(Some).ok_or_else(|| {
            let allowed = "must be a whole number from 0 to 18446744073709551615";
            Problem::invalid(name, format!("the parameter \"{name}\" {allowed}"))
        })
    }

    /// Whether something is said: `true`, or `false` as when it is left out.
    pub(crate) fn flag(&self, name: &'static str) -> Result<bool, Problem> {
        match self.text(name)? {
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
    pub(crate) fn cursor(&self) -> Result<Option<Cursor>, Problem> {
        Ok(self.text("cursor")?.map(Cursor::from_text))
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
        let params = params("?query=a%20b+c&limit=%37&future=x&future=y&cursor=abc&=&flag").await;
        assert_eq!(params.text("query").unwrap(), Some("a b c"));
        assert_eq!(params.limit().unwrap(), Some(7));
        assert_eq!(params.cursor().unwrap(), Some(Cursor::from_text("abc")));
        assert_eq!(params.number("before").unwrap(), None);
        assert_eq!(params.text("flag").unwrap(), Some(""));
    }

    #[tokio::test]
    async fn a_malformed_number_is_named() {
        for value in [
            "abc",
            "-1",
            "",
            "1.5",
            "0x10",
            "+1",
            "%2B1",
            "01",
            "00",
            "-0",
            "1e3",
            "%201",
            "1%20",
            "1_000",
            "%D9%A1",
            "18446744073709551616",
            "99999999999999999999999",
        ] {
            let problem = params(&format!("?limit={value}")).await.limit().unwrap_err();
            assert!(format!("{problem:?}").contains("field: Some(\"limit\")"), "{value}");
        }
        let largest = params("?limit=18446744073709551615").await.limit().unwrap();
        assert_eq!(largest, Some(usize::MAX));
        assert_eq!(params("?limit=0").await.limit().unwrap(), Some(0));
    }

    #[tokio::test]
    async fn a_parameter_that_comes_twice_is_named() {
        for query in ["?limit=1&limit=2", "?limit=1&limit=1", "?limit=1&%6Cimit=2", "?limit&limit"]
        {
            let problem = params(query).await.limit().unwrap_err();
            assert!(format!("{problem:?}").contains("field: Some(\"limit\")"), "{query}");
        }
        assert!(params("?query=a&query=b").await.text("query").is_err());
        assert!(params("?cursor=a&cursor=b").await.cursor().is_err());
    }

    #[tokio::test]
    async fn a_flag_is_true_or_false() {
        let said = async |query: &str| params(query).await.flag("confirm");
        assert!(said("?confirm=true").await.unwrap());
        assert!(!said("?confirm=false").await.unwrap() && !said("").await.unwrap());
        assert!(said("?confirm").await.is_err() && said("?confirm=1").await.is_err());
    }

    #[tokio::test]
    async fn broken_escapes_are_text() {
        assert!(params("?query=%zz%ff").await.text("query").unwrap().is_some());
    }
}
