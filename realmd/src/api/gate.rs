//! Who comes in over TCP: whoever shows the token, and no page of a browser.
//!
//! Any program on this machine reaches a port on loopback, and so does any page that its browser
//! shows. A request is looked at from the outside in: the host that it names, where it comes from, its
//! token, what it carries. Nothing of the routes is told to anybody who has no token.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, Method, header};
use realm_client::{api::routes, catalogue::Code};
use subtle::ConstantTimeEq as _;
use tokio::sync::watch;

use super::{people::signs_in, problem::Fail};
use crate::{
    clock::Clock,
    people::{People, Shown, SignIns, owner},
    token::Token,
};

/// What is asked of requests over TCP.
#[derive(Debug)]
pub(crate) struct Gate {
    /// The names and the port that this API is reached at.
    hosts: Vec<String>,
    token: Token,
    people: watch::Receiver<Arc<People>>,
    sign_ins: Arc<SignIns>,
    clock: Clock,
}

impl Gate {
    /// Takes the port that is listened on, the realm's own token, and who has others.
    pub(crate) fn new(
        port: u16,
        token: Token,
        people: watch::Receiver<Arc<People>>,
        (sign_ins, clock): (Arc<SignIns>, Clock),
    ) -> Self {
        let names = ["127.0.0.1", "[::1]", "localhost"];
        Self {
            hosts: names.map(|name| format!("{name}:{port}")).to_vec(),
            token,
            people,
            sign_ins,
            clock,
        }
    }

    /// Whether a request comes in, and who makes it; nobody yet, where somebody signs in.
    fn check(
        &self,
        (method, path): (&Method, &str),
        headers: &HeaderMap,
    ) -> Result<Option<Shown>, Fail> {
        self.check_place(headers)?;
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let who = match signs_in(method, path) {
            true => None,
            false => Some(self.check_token(shown_by(headers))?),
        };
        let kind =
            text(header::CONTENT_TYPE).map(|kind| kind.split(';').next().unwrap_or_default());
        let carries = *method == Method::POST || *method == Method::PUT;
        // What a form of any page can send is not JSON.
        if carries && kind.map(str::trim) != Some("application/json") {
            return Err(Fail::new(
                Code::RequestInvalid,
                "content-type: application/json is needed",
            ));
        }
        Ok(who)
    }

    /// Whether a request is meant for this API, and no page of another origin sent it.
    fn check_place(&self, headers: &HeaderMap) -> Result<(), Fail> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        // A name that was made to point here is none of these.
        let host = text(header::HOST).filter(|host| self.is_own(host));
        let host = host.ok_or_else(|| Fail::new(Code::OriginRefused, "this is not that host"))?;
        let origin = headers.get(header::ORIGIN);
        let own = |origin: &str| origin.strip_prefix("http://") == Some(host);
        if origin.is_some_and(|origin| !origin.to_str().is_ok_and(own)) {
            let what = "a page of another origin has no business here";
            return Err(Fail::new(Code::OriginRefused, what));
        }
        let site = headers
            .get("sec-fetch-site")
            .map(http::HeaderValue::as_bytes);
        if site.is_some_and(|site| site != b"same-origin" && site != b"none") {
            let what = "a page of another site has no business here";
            return Err(Fail::new(Code::OriginRefused, what));
        }
        Ok(())
    }

    /// Whose token this is: the realm's own is its owner's.
    pub(super) fn check_token(&self, shown: Option<&str>) -> Result<Shown, Fail> {
        let named = |shown: &str| match self.is_token(shown) {
            true => Some(owner()),
            false => self.people.borrow().by_token(shown),
        };
        let signed_in = |shown: &str| self.sign_ins.whose(shown, self.clock.now().tick);
        let known = shown.and_then(|shown| {
            let named = named(shown).map(Shown::Named);
            let agent = || self.people.borrow().agent_by_token(shown);
            let other = || agent().map(Shown::Agent);
            named
                .or_else(other)
                .or_else(|| signed_in(shown).map(Shown::SignedIn))
        });
        if let Some(known) = known {
            return Ok(known);
        }
        let what = "every request needs a token of this realm: Authorization: Bearer TOKEN, or \
                    `token` in what an agent says first";
        Err(Fail::new(Code::TokenMissing, what))
    }

    /// Who has tokens, as it changes.
    pub(super) fn people(&self) -> watch::Receiver<Arc<People>> {
        self.people.clone()
    }

    fn is_own(&self, host: &str) -> bool {
        let mut own = self.hosts.iter();
        own.any(|own| own.eq_ignore_ascii_case(host))
    }

    fn is_token(&self, shown: &str) -> bool {
        shown.as_bytes().ct_eq(self.token.text().as_bytes()).into()
    }
}

/// The token that a request shows.
pub(super) fn shown_by(headers: &HeaderMap) -> Option<&str> {
    let shown = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    shown.strip_prefix("Bearer ")
}

/// The one layer around every route. A page's WebSocket has no headers of its own, so who attaches
/// shows the token in its first message: the gate goes along to ask for it.
pub(crate) async fn guard(
    State(gate): State<Arc<Gate>>,
    mut request: Request,
    next: Next,
) -> Response {
    let checked = if request.uri().path() == routes::ATTACH {
        let checked = gate.check_place(request.headers());
        request.extensions_mut().insert(gate);
        checked
    } else {
        let asked = (request.method(), request.uri().path());
        let checked = gate.check(asked, request.headers());
        checked.map(|who| {
            if let Some(who) = who {
                request.extensions_mut().insert(who);
            }
            request.extensions_mut().insert(gate);
        })
    };
    match checked {
        Ok(()) => next.run(request).await,
        Err(fail) => fail.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn refused(method: Method, headers: &[(&str, &str)]) -> bool {
        refused_at((method, routes::STATUS), headers)
    }

    fn refused_at((method, path): (Method, &str), headers: &[(&str, &str)]) -> bool {
        let people = watch::channel(Arc::new(People::nobody())).1;
        let others = (Arc::default(), Clock::start());
        let gate = Gate::new(7421, Token::of("open-sesame"), people, others);
        let headers = headers.iter().map(|(name, value)| {
            let name: HeaderName = name.parse().unwrap();
            (name, value.parse().unwrap())
        });
        gate.check((&method, path), &headers.collect()).is_err()
    }

    #[test]
    fn only_own_hosts_and_origins_with_the_token_and_json_come_in() {
        let right = [
            ("host", "127.0.0.1:7421"),
            ("authorization", "Bearer open-sesame"),
            ("content-type", "application/json; charset=utf-8"),
        ];
        let with = |changed: (&'static str, &'static str)| {
            let mut headers: Vec<_> = right
                .iter()
                .filter(|it| it.0 != changed.0)
                .copied()
                .collect();
            headers.push(changed);
            refused(Method::POST, &headers)
        };
        let without = |name: &str| {
            let headers: Vec<_> = right.iter().filter(|it| it.0 != name).copied().collect();
            refused(Method::POST, &headers)
        };

        assert!(!refused(Method::POST, &right));
        assert!(!refused(Method::GET, &right[..2]));
        for host in ["localhost:7421", "LOCALHOST:7421", "[::1]:7421"] {
            assert!(!with(("host", host)), "{host}");
        }
        for host in [
            "127.0.0.1",
            "127.0.0.1:80",
            "evil.example:7421",
            "0.0.0.0:7421",
            "",
        ] {
            assert!(with(("host", host)), "{host}");
        }
        assert!(!with(("origin", "http://127.0.0.1:7421")));
        for origin in [
            "null",
            "http://localhost:7421",
            "https://127.0.0.1:7421",
            "http://evil.example",
        ] {
            assert!(with(("origin", origin)), "{origin}");
        }
        assert!(!with(("sec-fetch-site", "same-origin")) && !with(("sec-fetch-site", "none")));
        assert!(with(("sec-fetch-site", "cross-site")) && with(("sec-fetch-site", "same-site")));
        for token in [
            "Bearer open-sesam",
            "Bearer open-sesame ",
            "open-sesame",
            "Basic open-sesame",
            "Bearer ",
        ] {
            assert!(with(("authorization", token)), "{token}");
        }
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
        ] {
            assert!(with(("content-type", kind)), "{kind}");
        }
        for name in ["host", "authorization", "content-type"] {
            assert!(without(name), "{name}");
        }

        // Whoever signs in has no token yet, and everything else.
        let strange = [right[0], ("origin", "http://evil.example"), right[2]];
        for (headers, wrong) in [
            (&[right[0], right[2]][..], false),
            (&[right[0]], true),
            (&[right[2]], true),
            (&strange, true),
        ] {
            let signs_in = (Method::POST, routes::SIGN_IN);
            assert_eq!(refused_at(signs_in, headers), wrong, "{headers:?}");
        }
        let signs_out = (Method::DELETE, routes::SIGN_IN);
        assert!(refused_at(signs_out, &[right[0], right[2]]));
    }
}
