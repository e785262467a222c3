//! nginx: a web server.

use runtime::{Environment, Flow, Io, Process, ProcessEvent, Request, Response, Signal};
use sim::{Digest, Duration, Time};

use crate::catalogue::ImageDefinition;
use crate::tags::Tags;

/// `nginx`.
pub(crate) static IMAGE: ImageDefinition = ImageDefinition {
    repository: "docker.io/library/nginx",
    tags: Tags::Released {
        newest: &[(1, 31)],
        words: &["latest", "mainline", "stable"],
        variants: &["alpine", "perl", "otel", "slim", "bookworm", "bullseye", "buster", "trixie"],
    },
    sizes: &[
        ("alpine", 21_000_000),
        ("1.7", 34_960_000),
        ("1.14", 44_710_204),
        ("1.16", 50_630_000),
        ("1.2", 70_479_485),
        ("", 72_321_000),
    ],
    entrypoint: &["/docker-entrypoint.sh"],
    command: &["nginx", "-g", "daemon off;"],
    variables: &[("NGINX_VERSION", "1.31.0"), ("PKG_RELEASE", "1~trixie")],
    stop_signal: Signal::Quit,
    user: 0,
    has_userland: true,
    program,
};

const PORT: u16 = 80;
const DOCUMENTS: &str = "/usr/share/nginx/html";
const WELCOME: &str = "<!DOCTYPE html>\n<title>Welcome to nginx!</title>\n";

/// How long a graceful end takes when no request is open.
const DRAIN: Duration = Duration::from_millis(20);

fn program(name: &str, environment: &Environment) -> Option<Box<dyn Process>> {
    match name {
        "nginx" | "nginx-debug" => Some(Box::new(Nginx::default())),
        // The image's start script hands over to the command that follows it.
        "docker-entrypoint.sh" => {
            let command = environment.argv.get(1).map(String::as_str);
            let is_server = command.is_none_or(|command| command == "nginx");
            is_server.then(|| Box::new(Nginx { by_script: true, ..Nginx::default() }) as _)
        }
        _ => None,
    }
}

/// The master process with its workers.
#[derive(Clone, Debug, Default)]
struct Nginx {
    by_script: bool,
    ends_at: Option<Time>,
}

impl Nginx {
    fn notice(io: &mut Io<'_>, text: &str) {
        let time = io.clock.timestamp(io.now).strftime("%Y/%m/%d %H:%M:%S").to_string();
        io.stderr(&format!("{time} [notice] 1#1: {text}\n"));
    }
}

impl Process for Nginx {
    fn on(&mut self, event: ProcessEvent, io: &mut Io<'_>) -> Flow {
        match event {
            ProcessEvent::Started => {
                if self.by_script {
                    io.stdout("/docker-entrypoint.sh: ready, handing over to nginx\n");
                }
                Self::notice(io, "accepting connections on 0.0.0.0:80, event method epoll");
                Self::notice(io, "worker processes started");
                Flow::Continue
            }
            ProcessEvent::Signal(Signal::Quit) => {
                Self::notice(io, "signal 3 (SIGQUIT) received, shutting down gracefully");
                self.ends_at = Some(io.now + DRAIN);
                Flow::WaitUntil(io.now + DRAIN)
            }
            ProcessEvent::Signal(signal @ (Signal::Term | Signal::Int)) => {
                Self::notice(io, &format!("signal {} received, exiting", signal.number()));
                Flow::Exit(0)
            }
            ProcessEvent::Signal(Signal::Hup) => {
                Self::notice(io, "signal 1 (SIGHUP) received, reconfiguring");
                Flow::Continue
            }
            ProcessEvent::Timer if self.ends_at.is_some_and(|time| time <= io.now) => {
                Self::notice(io, "exit");
                Flow::Exit(0)
            }
            _ => Flow::Continue,
        }
    }

    fn serve(&mut self, request: &Request<'_>, io: &mut Io<'_>) -> Option<Response> {
        if request.port != PORT || self.ends_at.is_some() {
            return None;
        }
        let Some(path) = request.path else {
            return Some(Response { status: 0, body: String::new() });
        };
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let index = if path.ends_with('/') { "index.html" } else { "" };
        let file = io.files.read(&format!("{DOCUMENTS}{path}{index}"));
        let (status, body) = match file {
            Some(content) => (200, String::from_utf8_lossy(content).into_owned()),
            None if matches!(path, "/" | "/index.html" | "") => (200, WELCOME.to_string()),
            None => (404, "<h1>404 Not Found</h1>\n".to_string()),
        };
        Some(Response { status, body })
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.str("nginx");
        digest.bool(self.by_script);
        digest.add(&self.ends_at);
    }
}
