//! agnhost: the many small programs of Kubernetes' own tests. Upstream: test/images/agnhost.

use std::collections::BTreeMap;
use std::sync::Arc;

use network::HttpRequest;
use runtime::{Environment, Flow, Io, Process, ProcessEvent};
use sim::{Digest, Duration, Time};

use super::{Asked, PLAIN, SITE, Site, State, flag, port_of, start, web};
use crate::catalogue::ImageDefinition;
use crate::net::{Dial, DialError, Reply, Step, StepFailure, header, text};
use crate::server::Idle;
use crate::tags::Tags;

/// `registry.k8s.io/e2e-test-images/agnhost`.
pub(crate) static IMAGE: ImageDefinition = ImageDefinition {
    repository: "registry.k8s.io/e2e-test-images/agnhost",
    tags: Tags::Released { newest: &[(2, 63)], words: &[], variants: &[] },
    sizes: &[("", 51_000_000)],
    entrypoint: &["/agnhost"],
    command: &["pause"],
    program,
    ..PLAIN
};

fn program(name: &str, environment: &Environment) -> Option<Box<dyn Process>> {
    if name != "agnhost" {
        return (name == "curl").then(|| crate::userland::curl(&environment.argv));
    }
    match environment.argv.get(1).map(String::as_str).unwrap_or("pause") {
        "pause" => Some(Box::new(Idle)),
        "liveness" => web::liveness(),
        "netexec" => start(&netexec_site()),
        "serve-hostname" => start(&Site {
            name: "serve-hostname",
            ports: |io| Ok(vec![port(io.environment, "port", 9376)]),
            answer: |_, _, io| Reply::Send(text(200, io.environment.hostname.clone())),
            ..SITE
        }),
        "test-webserver" => start(&Site {
            name: "test-webserver",
            ports: |io| Ok(vec![port(io.environment, "port", 80)]),
            answer: |_, _, _| {
                Reply::Send(text(200, "<html><body>agnhost test-webserver</body></html>"))
            },
            ..SITE
        }),
        "porter" => start(&Site {
            name: "porter",
            ports: |io| {
                let names = io.environment.variables.keys();
                let ports = names.filter_map(|name| name.strip_prefix("SERVE_PORT_")?.parse().ok());
                Ok(ports.collect())
            },
            answer: |_, asked, io| {
                let name = format!("SERVE_PORT_{}", asked.arrived.port);
                let body = io.environment.variables.get(&name).cloned().unwrap_or_default();
                Reply::Send(text(200, body))
            },
            ..SITE
        }),
        "connect" => Some(Box::new(Connect {
            target: environment.argv.iter().skip(2).rfind(|word| !word.starts_with('-'))?.clone(),
            limit: flag(environment, "timeout").and_then(span),
            deadline: None,
            dial: None,
        })),
        _ => None,
    }
}

/// `5s`, `500ms`, `1m`.
fn span(text: &str) -> Option<Duration> {
    let end = text.find(|letter: char| letter.is_ascii_alphabetic())?;
    let number: u64 = text.get(..end)?.parse().ok()?;
    match text.get(end..)? {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number.saturating_mul(60))),
        _ => None,
    }
}

fn port(environment: &Environment, name: &str, default: u16) -> u16 {
    flag(environment, name).and_then(port_of).unwrap_or(default)
}

fn netexec_site() -> Site {
    Site {
        name: "netexec",
        ports: |io| {
            let port = port(io.environment, "http-port", 8080);
            io.stderr(&format!("Started HTTP server on port {port}\n"));
            Ok(vec![port])
        },
        answer: netexec,
        failed: |step, failure, _| {
            let why = match failure {
                StepFailure::Call(error) => error.go_words(&step.host),
                StepFailure::Status(response) => response.body.clone(),
            };
            let url = format!("http://{}:{}{}", step.host, step.port, step.path());
            let why = format!("Get {url:?}: {why}").replace('"', "\\\"");
            Some(text(200, format!("{{\"errors\":[\"{why}\"]}}")))
        },
        answered: |body| {
            Some(text(200, format!("{{\"responses\":[\"{}\"]}}", body.escape_default())))
        },
        ..SITE
    }
}

/// Upstream: test/images/agnhost/netexec/netexec.go.
fn netexec(_state: &mut State, asked: &Asked<'_>, io: &mut Io<'_>) -> Reply {
    io.stderr(&format!("{} {}\n", asked.request.method, asked.request.path));
    let code = asked.value("code").and_then(|code| code.parse::<u16>().ok());
    let body = match asked.path {
        "/" => format!("NOW: {}", io.clock.timestamp(io.now)),
        "/clientip" => asked.arrived.peer.to_string(),
        "/hostname" | "/hostName" => io.environment.hostname.clone(),
        "/echo" => {
            let message = asked.value("msg").unwrap_or_default();
            return Reply::Send(text(code.unwrap_or(200), message));
        }
        "/healthz" => String::new(),
        "/header" => {
            let name = asked.value("key").unwrap_or_default().to_ascii_lowercase();
            asked.request.headers.get(&name).cloned().unwrap_or_default()
        }
        "/exit" => return Reply::Exit(i32::from(code.unwrap_or(0))),
        "/shutdown" => return Reply::Exit(0),
        "/dial" => return dial(asked),
        _ => return Reply::Send(text(404, "404 page not found\n")),
    };
    Reply::Send(text(200, body))
}

/// `/dial?host=…&port=…&request=hostname`: asks another and says what it answered.
fn dial(asked: &Asked<'_>) -> Reply {
    let host = asked.value("host").unwrap_or_default();
    let Some(port) = asked.value("port").and_then(|port| port.parse().ok()) else {
        return Reply::Send(text(400, "failed to parse port\n"));
    };
    let request = HttpRequest {
        method: "GET".to_string(),
        path: format!("/{}", asked.value("request").unwrap_or_else(|| "hostname".to_string())),
        headers: BTreeMap::from([header("host", &format!("{host}:{port}"))]),
        body: String::new(),
    };
    let steps = vec![Step {
        host,
        port,
        request: network::Payload::HttpRequest(Arc::new(request)),
        origin: "",
    }];
    Reply::Ask { steps, limit: Duration::from_secs(5), then: network::Payload::Empty }
}

/// Upstream: test/images/agnhost/connect/connect.go.
#[derive(Clone, Debug)]
struct Connect {
    target: String,
    limit: Option<Duration>,
    deadline: Option<Time>,
    dial: Option<Dial>,
}

impl Process for Connect {
    fn on(&mut self, event: ProcessEvent, io: &mut Io<'_>) -> Flow {
        if event == ProcessEvent::Started {
            let (host, port) = self.target.rsplit_once(':').unwrap_or((&self.target, "80"));
            self.deadline = self.limit.map(|limit| io.now + limit);
            self.dial = Some(Dial::begin(host, port.parse().unwrap_or(80), io));
        }
        let Some(dial) = &mut self.dial else { return Flow::Exit(1) };
        let words = match dial.poll(&event, io) {
            Some(Ok((socket, _))) => {
                io.network.close(socket);
                return Flow::Exit(0);
            }
            Some(Err(DialError::Name(_))) => "DNS",
            Some(Err(DialError::Refused(_))) => "REFUSED",
            Some(Err(DialError::TimedOut(_))) => "TIMEOUT",
            Some(Err(DialError::Unreachable(_))) => "OTHER",
            None if self.deadline.is_some_and(|deadline| deadline <= io.now) => {
                dial.cancel(io);
                "TIMEOUT"
            }
            None => {
                let wake = dial.next_wake().into_iter().chain(self.deadline).min();
                return wake.map_or(Flow::Continue, Flow::WaitUntil);
            }
        };
        io.stderr(&format!("{words}\n"));
        Flow::Exit(1)
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.str(&self.target);
        digest.add(&self.deadline);
        if let Some(dial) = &self.dial {
            digest.add(dial);
        }
    }
}
