//! Whether policy lets a loop use what its definition names: agents, tools, hosts.

use realm_executor::{BackendError, BackendRequest};
use realm_policy::{Action, Principal, Request, Resource, Used};
use realm_protocol::LoopId;

use crate::Node;

impl Node {
    /// Asks policy for what a loop wants of a backend.
    pub(crate) fn permit_use(
        &mut self,
        id: &LoopId,
        request: &BackendRequest,
    ) -> Result<(), BackendError> {
        let Some((kind, name)) = used(request)? else {
            return Ok(());
        };
        let (owner, now) = (self.me.scope(), self.now.wall);
        let question = Request::new(
            Action::Use,
            Principal::Loop { owner: &owner, id },
            Resource::Used {
                owner: &owner,
                kind,
                name: &name,
            },
            now,
        );
        let Err(denial) = self.rules.decide_request(&question) else {
            return Ok(());
        };
        Err(BackendError::Denied {
            what: format!("{}={name}", kind.name()),
            reference: self.denied(denial),
        })
    }
}

/// What is used, by the name that policies know it by; nothing where it is only this process.
fn used(request: &BackendRequest) -> Result<Option<(Used, String)>, BackendError> {
    if request.is_pure() {
        return Ok(None);
    }
    let program = |argv: &[String]| argv.first().cloned().unwrap_or_default();
    let used = match request {
        BackendRequest::Echo { .. } | BackendRequest::Count { .. } => return Ok(None),
        BackendRequest::Model(model) => (Used::Tool, format!("model:{}", model.backend)),
        BackendRequest::Process { argv, .. } | BackendRequest::Command { argv, .. } => {
            (Used::Tool, format!("process:{}", program(argv)))
        }
        BackendRequest::Container(asked) => (
            Used::Tool,
            format!("container:{}", asked.container.image.as_str()),
        ),
        BackendRequest::Mcp { server, tool, .. } => (Used::Tool, format!("mcp:{server}/{tool}")),
        BackendRequest::Attached(asked) => (Used::Agent, asked.agent.to_string()),
        BackendRequest::Http { url, .. } => {
            let reason = "policy cannot tell the host of this URL";
            let host = host(url).ok_or(BackendError::Refused { reason })?;
            (Used::Host, host)
        }
    };
    Ok(Some(used))
}

/// The host of a URL that is written without tricks, in lower case.
fn host(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest.get(..end)?;
    let (host, port) = match authority.strip_prefix('[') {
        Some(bracketed) => {
            let (inner, port) = bracketed.split_once(']')?;
            let plain = |c: char| c.is_ascii_hexdigit() || c == ':' || c == '.';
            (
                inner.chars().all(plain).then(|| format!("[{inner}]"))?,
                port,
            )
        }
        None => {
            let colon = authority.find(':').unwrap_or(authority.len());
            let (name, port) = authority.split_at_checked(colon)?;
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
            (name.chars().all(plain).then(|| name.to_owned())?, port)
        }
    };
    let digits = port.strip_prefix(':').unwrap_or(port);
    let sound = !host.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    sound.then(|| host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn a_host_is_told_where_nothing_in_the_url_hides_it() {
        for (url, told) in [
            ("http://127.0.0.1:8080/greet", Some("127.0.0.1")),
            ("https://API.example.org", Some("api.example.org")),
            (
                "https://api.example.org?at=evil.example",
                Some("api.example.org"),
            ),
            ("http://[::1]:80/", Some("[::1]")),
            ("http://good.example@evil.example/", None),
            ("http://good.example\\@evil.example/", None),
            ("http://evil.example%2f.good.example/", None),
            ("http://evil\t.example/", None),
            ("http://good.example:80:90/", None),
            ("http:///x", None),
            ("mailto:ann", None),
        ] {
            assert_eq!(host(url).as_deref(), told, "{url}");
        }
    }
}
