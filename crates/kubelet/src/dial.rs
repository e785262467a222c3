//! What the kubelet asks a pod over the network: whether a port is open, a page, the gRPC health
//! service.
//!
//! Upstream: pkg/probe/{http,tcp,grpc}.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use api::openapi::api::core::v1::{Container, HTTPGetAction};
use api::openapi::apimachinery::pkg::util::intstr::IntOrString;
use network::{HttpRequest, HttpResponse, Payload, SocketEvent, SocketId, Sockets};
use sim::{Digest, Digestible, Duration};

use crate::dns::HOST_DNS;

/// Upstream: net/http, defaultCheckRedirect, which pkg/probe/http repeats.
const MAX_REDIRECTS: u32 = 10;
const USER_AGENT_VERSION: &str = "1.37";
const HEALTH_CHECK: &str = "/grpc.health.v1.Health/Check";

/// How a question ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The port is open, or the service healthy.
    Fine,
    /// A page.
    Page(Arc<HttpResponse>),
    /// None, in the client's words.
    Failed(String),
}

/// Where a page is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Url {
    scheme: String,
    host: String,
    port: u16,
    path: String,
}

impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Url { scheme, host, port, path } = self;
        write!(f, "{scheme}://{host}:{port}{path}")
    }
}

impl Url {
    /// Where a redirect leads.
    fn join(&self, location: &str) -> Url {
        let (scheme, rest) = match location.split_once("://") {
            Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
            None if location.starts_with('/') => {
                return Url { path: location.to_string(), ..self.clone() };
            }
            None => {
                let directory = self.path.rsplit_once('/').map_or("", |(before, _)| before);
                return Url { path: format!("{directory}/{location}"), ..self.clone() };
            }
        };
        let (authority, path) = match rest.split_once('/') {
            Some((authority, path)) => (authority, format!("/{path}")),
            None => (rest, "/".to_string()),
        };
        let default_port = if scheme == "https" { 443 } else { 80 };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().unwrap_or(default_port)),
            None => (authority, default_port),
        };
        Url { scheme, host: host.to_string(), port, path }
    }

    fn address(&self) -> Result<SocketAddrV4, String> {
        let address = match self.host.as_str() {
            "localhost" => Ipv4Addr::LOCALHOST,
            host => host
                .parse()
                .map_err(|_| format!("dial tcp: lookup {host} on {HOST_DNS}:53: no such host"))?,
        };
        Ok(SocketAddrV4::new(address, self.port))
    }
}

/// What is asked.
#[derive(Clone, Debug)]
enum Ask {
    Tcp,
    Http { url: Url, headers: BTreeMap<String, String>, redirects: u32, first_host: String },
    Grpc { service: String },
}

/// A question under way.
#[derive(Clone, Debug)]
pub(crate) struct Dial {
    ask: Ask,
    to: Option<SocketAddrV4>,
    socket: Option<SocketId>,
    connected: bool,
}

/// The number of a port that is given by number or by name.
///
/// # Errors
/// The kubelet's words when there is no such port.
/// Upstream: pkg/probe/util.go, ResolveContainerPort.
pub(crate) fn port_number(container: &Container, port: &IntOrString) -> Result<u16, String> {
    let number = match port {
        IntOrString::Int(number) => *number,
        IntOrString::String(name) => {
            let mut ports = container.ports.iter().flatten();
            match ports.find(|port| port.name.as_deref() == Some(name)) {
                Some(port) => port.container_port,
                None => name
                    .parse()
                    .map_err(|_| format!("strconv.Atoi: parsing {name:?}: invalid syntax"))?,
            }
        }
    };
    let valid = u16::try_from(number).ok().filter(|number| *number > 0);
    valid.ok_or_else(|| format!("invalid port number: {number}"))
}

impl Dial {
    fn new(ask: Ask, to: Option<SocketAddrV4>) -> Self {
        Dial { ask, to, socket: None, connected: false }
    }

    /// Whether a port is open.
    pub(crate) fn tcp(to: SocketAddrV4) -> Self {
        Dial::new(Ask::Tcp, Some(to))
    }

    /// Whether a gRPC service says that it is healthy.
    pub(crate) fn grpc(to: SocketAddrV4, service: &str) -> Self {
        Dial::new(Ask::Grpc { service: service.to_string() }, Some(to))
    }

    /// A page of the pod with that address. `purpose` is a part of the user agent's name.
    ///
    /// # Errors
    /// When the action names a port that the container does not have.
    pub(crate) fn http(
        container: &Container,
        action: &HTTPGetAction,
        address: &str,
        purpose: &str,
    ) -> Result<Self, String> {
        let host = action.host.clone().filter(|host| !host.is_empty());
        let host = host.unwrap_or_else(|| address.to_string());
        let port = port_number(container, &action.port)?;
        let scheme = action.scheme.as_deref().unwrap_or("HTTP").to_ascii_lowercase();
        let path = action.path.as_deref().unwrap_or("/");
        let path = if path.starts_with('/') { path.to_string() } else { format!("/{path}") };
        let given = action.http_headers.iter().flatten();
        let mut headers: BTreeMap<String, String> =
            given.map(|header| (header.name.to_ascii_lowercase(), header.value.clone())).collect();
        let agent = format!("kube-{purpose}/{USER_AGENT_VERSION}");
        headers.entry("user-agent".to_string()).or_insert(agent);
        headers.entry("accept".to_string()).or_insert_with(|| "*/*".to_string());
        headers.retain(|name, value| name != "accept" || !value.is_empty());
        headers.insert("connection".to_string(), "close".to_string());
        let url = Url { scheme, host, port, path };
        let first_host = url.host.clone();
        Ok(Dial::new(Ask::Http { url, headers, redirects: 0, first_host }, None))
    }

    /// Begins to connect; an answer if that is impossible.
    pub(crate) fn start(&mut self, sockets: &mut Sockets<'_>) -> Option<Answer> {
        if let Ask::Http { url, .. } = &self.ask {
            match url.address() {
                Ok(to) => self.to = Some(to),
                Err(why) => return Some(self.fail(&why)),
            }
        }
        let to = self.to?;
        match sockets.connect(to) {
            Ok(socket) => {
                self.socket = Some(socket);
                self.connected = false;
                None
            }
            Err(_) => Some(self.fail(&format!("dial tcp {to}: connect: network is unreachable"))),
        }
    }

    /// A failure in the words of the client.
    fn fail(&self, why: &str) -> Answer {
        Answer::Failed(match &self.ask {
            Ask::Http { url, .. } => format!("Get \"{url}\": {why}"),
            Ask::Tcp | Ask::Grpc { .. } => why.to_string(),
        })
    }

    /// Takes what happened to its socket.
    pub(crate) fn on(
        &mut self,
        socket: SocketId,
        event: &SocketEvent,
        sockets: &mut Sockets<'_>,
    ) -> Option<Answer> {
        if self.socket != Some(socket) {
            return None;
        }
        let to = self.to.map(|to| to.to_string()).unwrap_or_default();
        let why = match event {
            SocketEvent::Connected => return self.send(socket, sockets),
            SocketEvent::Received(payload) => return self.receive(payload, sockets),
            // gRPC tries again and again until its time is up.
            _ if matches!(self.ask, Ask::Grpc { .. }) => return None,
            SocketEvent::Refused => format!("dial tcp {to}: connect: connection refused"),
            SocketEvent::Unreachable => format!("dial tcp {to}: connect: no route to host"),
            SocketEvent::TimedOut => format!("dial tcp {to}: connect: connection timed out"),
            SocketEvent::Closed => "EOF".to_string(),
            SocketEvent::Reset => {
                format!("read tcp {}->{to}: read: connection reset by peer", sockets.address())
            }
            SocketEvent::Accepted { .. }
            | SocketEvent::Datagram { .. }
            | SocketEvent::Icmp { .. } => return None,
        };
        Some(self.fail(&why))
    }

    fn send(&mut self, socket: SocketId, sockets: &mut Sockets<'_>) -> Option<Answer> {
        self.connected = true;
        let request = match &self.ask {
            Ask::Tcp => return Some(Answer::Fine),
            Ask::Http { url, headers, .. } => {
                let mut headers = headers.clone();
                let authority = format!("{}:{}", url.host, url.port);
                headers.entry("host".to_string()).or_insert(authority);
                let (method, path) = ("GET".to_string(), url.path.clone());
                HttpRequest { method, path, headers, body: String::new() }
            }
            Ask::Grpc { service } => HttpRequest {
                method: "POST".to_string(),
                path: HEALTH_CHECK.to_string(),
                headers: [
                    ("content-type", "application/grpc".to_string()),
                    ("user-agent", format!("kube-probe/{USER_AGENT_VERSION}")),
                    ("te", "trailers".to_string()),
                ]
                .into_iter()
                .map(|(name, value)| (name.to_string(), value))
                .collect(),
                body: format!(r#"{{"service":"{service}"}}"#),
            },
        };
        let sent = sockets.send(socket, Payload::HttpRequest(Arc::new(request)));
        sent.err().map(|_| self.fail("write: broken pipe"))
    }

    fn receive(&mut self, payload: &Payload, sockets: &mut Sockets<'_>) -> Option<Answer> {
        let Payload::HttpResponse(response) = payload else {
            let text = match payload {
                Payload::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                _ => return None,
            };
            let first = text.lines().next().unwrap_or_default();
            let why = format!(
                "net/http: HTTP/1.x transport connection broken: malformed HTTP response {first:?}"
            );
            return Some(self.fail(&why));
        };
        if matches!(self.ask, Ask::Grpc { .. }) {
            return Some(health(response));
        }
        let location = response.headers.get("location");
        match location.filter(|_| matches!(response.status, 301 | 302 | 303 | 307 | 308)) {
            Some(location) => self.redirect(response, location, sockets),
            None => Some(Answer::Page(response.clone())),
        }
    }

    /// Follows a redirect on the same host.
    /// Upstream: pkg/probe/http/http.go, RedirectChecker.
    fn redirect(
        &mut self,
        response: &Arc<HttpResponse>,
        location: &str,
        sockets: &mut Sockets<'_>,
    ) -> Option<Answer> {
        let Ask::Http { url, redirects, first_host, .. } = &mut self.ask else { return None };
        let next = url.join(location);
        if next.host != *first_host {
            return Some(Answer::Page(response.clone()));
        }
        *redirects += 1;
        *url = next;
        if *redirects >= MAX_REDIRECTS {
            return Some(self.fail(&format!("stopped after {MAX_REDIRECTS} redirects")));
        }
        if let Some(socket) = self.socket.take() {
            sockets.close(socket);
        }
        self.start(sockets)
    }

    /// The words for an answer that has not come in time.
    pub(crate) fn time_out(&self, limit: Duration) -> Answer {
        let to = self.to.map(|to| to.to_string()).unwrap_or_default();
        match &self.ask {
            Ask::Http { .. } => self
                .fail("context deadline exceeded (Client.Timeout exceeded while awaiting headers)"),
            Ask::Tcp => self.fail(&format!("dial tcp {to}: i/o timeout")),
            Ask::Grpc { .. } if self.connected => {
                self.fail(&format!("timeout: health rpc did not complete within {limit}"))
            }
            Ask::Grpc { .. } => self.fail(&format!(
                "timeout: failed to connect service \"{to}\" within {limit}: context deadline \
                 exceeded"
            )),
        }
    }
}

/// What a gRPC health service answered.
/// Upstream: pkg/probe/grpc/grpc.go.
fn health(response: &HttpResponse) -> Answer {
    let header = |name: &str| response.headers.get(name).map(String::as_str);
    let message = header("grpc-message").unwrap_or_default();
    let rpc_error = |code: &str, message: &str| {
        Answer::Failed(format!(
            "error: health rpc probe failed: rpc error: code = {code} desc = {message}"
        ))
    };
    match header("grpc-status") {
        Some("0") => {
            let body = &response.body;
            let status = ["NOT_SERVING", "SERVICE_UNKNOWN", "UNKNOWN"];
            let unhealthy = status.iter().find(|status| body.contains(*status));
            match unhealthy {
                None if body.contains("SERVING") => Answer::Fine,
                other => {
                    let status = other.copied().unwrap_or("UNKNOWN");
                    Answer::Failed(format!("service unhealthy (responded with {status:?})"))
                }
            }
        }
        Some("12") => Answer::Failed(format!(
            "error: this server does not implement the grpc health protocol \
             (grpc.health.v1.Health): {message}"
        )),
        Some("5") => rpc_error("NotFound", message),
        Some("14") => rpc_error("Unavailable", message),
        Some(_) => rpc_error("Unknown", message),
        None => {
            let status = response.status;
            let kind = header("content-type").unwrap_or_default();
            let why = format!(
                "unexpected HTTP status code received from server: {status}; transport: received \
                 unexpected content-type {kind:?}"
            );
            rpc_error("Unknown", &why)
        }
    }
}

impl Digestible for Dial {
    fn digest(&self, digest: &mut Digest) {
        digest.add(&self.to.map(|to| u32::from(*to.ip())));
        digest.add(&self.to.map(|to| u32::from(to.port())));
        digest.add(&self.socket.map(|socket| socket.0));
        digest.bool(self.connected);
        match &self.ask {
            Ask::Tcp => digest.u64(0),
            Ask::Http { url, redirects, .. } => {
                digest.str(&url.to_string());
                digest.add(redirects);
            }
            Ask::Grpc { service } => digest.str(service),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container() -> Container {
        let text = r#"{"name":"main","ports":[{"name":"web","containerPort":8080}]}"#;
        serde_json::from_str(text).expect("a container")
    }

    fn http(action: &str) -> Result<Dial, String> {
        let action: HTTPGetAction = serde_json::from_str(action).expect("an action");
        Dial::http(&container(), &action, "10.0.0.1", "probe")
    }

    /// Upstream: pkg/probe/http/request_test.go, TestFormatURL; pkg/probe/util_test.go,
    /// TestFindPortByName.
    #[test]
    fn a_probe_goes_to_its_url() {
        for (action, want) in [
            (r#"{"port":93}"#, "http://10.0.0.1:93/"),
            (r#"{"port":"web","path":"/path"}"#, "http://10.0.0.1:8080/path"),
            (r#"{"port":"81","path":"path?x=1","scheme":"HTTPS"}"#, "https://10.0.0.1:81/path?x=1"),
            (r#"{"port":80,"host":"10.9.9.9"}"#, "http://10.9.9.9:80/"),
        ] {
            let Ask::Http { url, .. } = http(action).expect("a request").ask else { panic!() };
            assert_eq!(url.to_string(), want);
        }
    }

    /// Upstream: pkg/probe/util_test.go, TestResolveContainerPort, and the words of strconv.
    #[test]
    fn a_port_is_found_by_number_or_name() {
        for (port, want) in [
            (r#"{"port":93}"#, Ok(93)),
            (r#"{"port":"web"}"#, Ok(8080)),
            (r#"{"port":"81"}"#, Ok(81)),
            (r#"{"port":0}"#, Err("invalid port number: 0")),
            (r#"{"port":-1}"#, Err("invalid port number: -1")),
            (r#"{"port":"65536"}"#, Err("invalid port number: 65536")),
            (r#"{"port":"nope"}"#, Err("strconv.Atoi: parsing \"nope\": invalid syntax")),
        ] {
            let action: HTTPGetAction = serde_json::from_str(port).expect("an action");
            let found = port_number(&container(), &action.port);
            assert_eq!(found, want.map_err(str::to_string), "{port}");
        }
    }

    /// Upstream: pkg/probe/http/http_test.go, TestHTTPProbeChecker, the cases of headers.
    #[test]
    fn own_headers_take_the_place_of_the_usual_ones() {
        let headers = |action: &str| match http(action).expect("a request").ask {
            Ask::Http { headers, .. } => headers,
            _ => BTreeMap::new(),
        };
        let of = |headers: &BTreeMap<String, String>, name: &str| headers.get(name).cloned();
        let usual = headers(r#"{"port":80}"#);
        assert_eq!(of(&usual, "user-agent").as_deref(), Some("kube-probe/1.37"));
        assert_eq!(of(&usual, "accept").as_deref(), Some("*/*"));
        let own = headers(
            r#"{"port":80,"httpHeaders":[{"name":"User-Agent","value":"foo/1.0"},
            {"name":"Accept","value":""},{"name":"X-Muffins","value":"2"}]}"#,
        );
        assert_eq!(of(&own, "user-agent").as_deref(), Some("foo/1.0"));
        assert_eq!(of(&own, "accept"), None);
        assert_eq!(of(&own, "x-muffins").as_deref(), Some("2"));
    }

    #[test]
    fn redirects_are_joined_as_urls_are() {
        let url = Url {
            scheme: "http".to_string(),
            host: "10.0.0.1".to_string(),
            port: 81,
            path: "/a/b".to_string(),
        };
        for (location, want) in [
            ("/new", "http://10.0.0.1:81/new"),
            ("c", "http://10.0.0.1:81/a/c"),
            ("http://foo.example.com/x", "http://foo.example.com:80/x"),
            ("https://foo.example.com:8443", "https://foo.example.com:8443/"),
        ] {
            assert_eq!(url.join(location).to_string(), want);
        }
    }

    /// Upstream: pkg/probe/grpc/grpc_test.go, TestGrpcProber_Probe.
    #[test]
    fn a_health_service_is_believed() {
        let answer = |status: &str, message: &str, body: &str| {
            let headers = [("grpc-status", status), ("grpc-message", message)]
                .map(|(name, value)| (name.to_string(), value.to_string()));
            let response =
                HttpResponse { status: 200, headers: headers.into(), body: body.to_string() };
            health(&response)
        };
        assert_eq!(answer("0", "", r#"{"status":"SERVING"}"#), Answer::Fine);
        for (status, message, body, want) in [
            (
                "0",
                "",
                r#"{"status":"NOT_SERVING"}"#,
                "service unhealthy (responded with \"NOT_SERVING\")",
            ),
            (
                "12",
                "unknown service grpc.health.v1.Health",
                "",
                "error: this server does not implement the grpc health protocol \
                 (grpc.health.v1.Health): unknown service grpc.health.v1.Health",
            ),
            (
                "5",
                "unknown service",
                "",
                "error: health rpc probe failed: rpc error: code = NotFound desc = unknown service",
            ),
        ] {
            assert_eq!(answer(status, message, body), Answer::Failed(want.to_string()));
        }
    }
}
