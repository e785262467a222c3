//! Small web servers that examples use.

use runtime::{Environment, Io, Process};
use sim::Duration;

use super::{Asked, PLAIN, SITE, Site, State, flag, log_time, port_from, port_of, start};
use crate::catalogue::ImageDefinition;
use crate::net::{Reply, Tidy, page, text};
use crate::tags::Tags;
use crate::userland;

/// `gcr.io/google-samples/hello-app`, and where it has been published since.
pub(crate) static HELLO_APP: ImageDefinition = ImageDefinition {
    repository: "gcr.io/google-samples/hello-app",
    sizes: &[("", 13_000_000)],
    entrypoint: &["./hello-app"],
    has_userland: false,
    program: |_, _| start(&hello("1.0.0")),
    by_tag: &[("2", |_, _| start(&hello("2.0.0")))],
    ..PLAIN
};

/// The same under its newer name.
pub(crate) static HELLO_APP_PKG: ImageDefinition = ImageDefinition {
    repository: "us-docker.pkg.dev/google-samples/containers/gke/hello-app",
    sizes: HELLO_APP.sizes,
    entrypoint: HELLO_APP.entrypoint,
    has_userland: false,
    program: HELLO_APP.program,
    by_tag: HELLO_APP.by_tag,
    ..PLAIN
};

fn hello(version: &'static str) -> Site {
    Site {
        name: version,
        ports: |io| {
            let port = port_from(io.environment, "PORT", 8080);
            io.stderr(&format!("{} Server listening on port {port}\n", log_time(io)));
            Ok(vec![port])
        },
        answer: match version {
            "2.0.0" => |_, asked, io| hello_answer("2.0.0", asked, io),
            _ => |_, asked, io| hello_answer("1.0.0", asked, io),
        },
        // Its process does not handle SIGTERM: Go ends it with the signal.
        tidy: Tidy { drain: Duration::ZERO, code: 2 },
        ..SITE
    }
}

fn hello_answer(version: &str, asked: &Asked<'_>, io: &mut Io<'_>) -> Reply {
    io.stderr(&format!("{} Serving request: {}\n", log_time(io), asked.path));
    let host = &io.environment.hostname;
    Reply::Send(text(200, format!("Hello, world!\nVersion: {version}\nHostname: {host}\n")))
}

/// `gcr.io/google-samples/node-hello`.
pub(crate) static NODE_HELLO: ImageDefinition = ImageDefinition {
    repository: "gcr.io/google-samples/node-hello",
    sizes: &[("", 264_800_000)],
    entrypoint: &["/bin/sh", "-c"],
    command: &["node server.js"],
    program: |name, _| {
        let site = Site {
            name: "node-hello",
            ports: |_| Ok(vec![8080]),
            answer: |_, asked, io| {
                io.stdout(&format!("Received request for URL: {}\n", asked.request.path));
                Reply::Send(text(200, "Hello Kubernetes!"))
            },
            ..SITE
        };
        (name == "node").then(|| start(&site)).flatten()
    },
    ..PLAIN
};

/// `hashicorp/http-echo`.
pub(crate) static HTTP_ECHO: ImageDefinition = ImageDefinition {
    repository: "docker.io/hashicorp/http-echo",
    sizes: &[("", 3_000_000)],
    entrypoint: &["/http-echo"],
    has_userland: false,
    program: |_, _| start(&Site { name: "http-echo", ports: echo_begin, answer: echo, ..SITE }),
    ..PLAIN
};

fn echo_text(environment: &Environment) -> Option<String> {
    let given = flag(environment, "text").map(str::to_string);
    given.or(environment.variables.get("ECHO_TEXT").cloned())
}

fn echo_begin(io: &mut Io<'_>) -> Result<Vec<u16>, i32> {
    if echo_text(io.environment).is_none() {
        io.stderr("Missing -text option!\n");
        return Err(127);
    }
    let address = flag(io.environment, "listen").unwrap_or(":5678").to_string();
    let Some(port) = port_of(&address) else {
        io.stderr(&format!("[ERR] listen {address}: invalid address\n"));
        return Err(1);
    };
    io.stdout(&format!("{} [INFO] server is listening on {address}\n", log_time(io)));
    Ok(vec![port])
}

fn echo(_state: &mut State, asked: &Asked<'_>, io: &mut Io<'_>) -> Reply {
    if asked.path == "/health" {
        let status = page(200, "application/json", "{\"status\":\"ok\"}\n");
        return Reply::Send(network::Payload::HttpResponse(status.into()));
    }
    let status = flag(io.environment, "status-code").and_then(|code| code.parse().ok());
    let body = echo_text(io.environment).unwrap_or_default();
    let (host, peer) = (asked.request.headers.get("host").cloned(), asked.arrived.peer);
    io.stdout(&format!(
        "{} {} {peer} \"GET {} HTTP/1.1\" {} {}\n",
        log_time(io),
        host.unwrap_or_default(),
        asked.request.path,
        status.unwrap_or(200),
        body.len() + 1
    ));
    Reply::Send(text(status.unwrap_or(200), format!("{body}\n")))
}

/// `traefik/whoami`.
pub(crate) static WHOAMI: ImageDefinition = ImageDefinition {
    repository: "docker.io/traefik/whoami",
    sizes: &[("", 3_000_000)],
    entrypoint: &["/whoami"],
    has_userland: false,
    program: |_, _| {
        start(&Site {
            name: "whoami",
            ports: |io| {
                let port = flag(io.environment, "port").and_then(|port| port.parse().ok());
                let port =
                    port.unwrap_or_else(|| port_from(io.environment, "WHOAMI_PORT_NUMBER", 80));
                io.stdout(&format!("{} Starting up on port {port}\n", log_time(io)));
                Ok(vec![port])
            },
            answer: |_, asked, io| Reply::Send(text(200, whoami(asked, io))),
            tidy: Tidy { drain: Duration::ZERO, code: 2 },
            ..SITE
        })
    },
    ..PLAIN
};

fn whoami(asked: &Asked<'_>, io: &Io<'_>) -> String {
    match asked.path {
        "/health" => return String::new(),
        "/bench" => return "1".to_string(),
        _ => {}
    }
    let name = flag(io.environment, "name").map(|name| format!("Name: {name}\n"));
    format!(
        "{}Hostname: {}\nIP: 127.0.0.1\nIP: {}\nRemoteAddr: {}\n{} {} HTTP/1.1\n{}\n",
        name.unwrap_or_default(),
        io.environment.hostname,
        io.network.address(),
        asked.arrived.peer,
        asked.request.method,
        asked.request.path,
        header_lines(asked, "")
    )
}

fn header_lines(asked: &Asked<'_>, indent: &str) -> String {
    let lines = asked.request.headers.iter();
    lines.map(|(name, value)| format!("{indent}{name}: {value}\n")).collect()
}

/// `registry.k8s.io/echoserver`.
pub(crate) static ECHOSERVER: ImageDefinition = ImageDefinition {
    repository: "registry.k8s.io/echoserver",
    sizes: &[("", 48_000_000)],
    entrypoint: &["/usr/local/bin/run.sh"],
    program: |name, _| {
        let site = Site {
            name: "echoserver",
            ports: |io| {
                io.stdout("Generating self-signed cert\nStarting nginx\n");
                Ok(vec![8080, 8443])
            },
            answer: |_, asked, io| Reply::Send(text(200, echoserver(asked, io))),
            ..SITE
        };
        (name == "run.sh").then(|| start(&site)).flatten()
    },
    ..PLAIN
};

fn echoserver(asked: &Asked<'_>, io: &Io<'_>) -> String {
    let body = match asked.request.body.as_str() {
        "" => "-no body in request-",
        body => body,
    };
    let host = asked.request.headers.get("host").map(String::as_str).unwrap_or_default();
    format!(
        "\n\nHostname: {}\n\nPod Information:\n\t-no pod information available-\n\nServer values:\n\t\
         server_version=nginx: 1.14.2 - lua: 10015\n\nRequest Information:\n\tclient_address={}\n\t\
         method={}\n\treal path={}\n\tquery={}\n\trequest_version=1.1\n\trequest_scheme=http\n\t\
         request_uri=http://{host}:{}{}\n\nRequest Headers:\n{}\nRequest Body:\n\t{body}\n\n",
        io.environment.hostname,
        asked.arrived.peer.ip(),
        asked.request.method,
        asked.request.path,
        asked.query,
        asked.arrived.port,
        asked.path,
        header_lines(asked, "\t"),
    )
}

/// `httpd`.
pub(crate) static HTTPD: ImageDefinition = ImageDefinition {
    repository: "docker.io/library/httpd",
    tags: Tags::Released {
        newest: &[(2, 4)],
        words: &["latest"],
        variants: &["alpine", "bookworm", "trixie", "bullseye"],
    },
    sizes: &[("alpine", 20_000_000), ("", 45_000_000)],
    command: &["httpd-foreground"],
    files: &[(
        "/usr/local/apache2/htdocs/index.html",
        "<html><body><h1>It works!</h1></body></html>\n",
    )],
    program: |name, _| {
        let site = Site {
            name: "httpd",
            ports: |io| {
                io.stderr(&format!(
                    "AH00558: httpd: Could not reliably determine the server's fully qualified \
                     domain name, using {}. Set the 'ServerName' directive globally to suppress \
                     this message\n",
                    io.network.address()
                ));
                Ok(vec![80])
            },
            answer: |_, asked, io| documents("/usr/local/apache2/htdocs", asked, io),
            ..SITE
        };
        matches!(name, "httpd-foreground" | "httpd").then(|| start(&site)).flatten()
    },
    ..PLAIN
};

/// A file below the root of the documents.
fn documents(root: &str, asked: &Asked<'_>, io: &mut Io<'_>) -> Reply {
    let index = if asked.path.ends_with('/') { "index.html" } else { "" };
    let file = userland::absolute(root, asked.path.trim_start_matches('/'));
    let file = format!("{}{}{index}", file, if index.is_empty() { "" } else { "/" });
    let body = io.files.read(&file).map(|content| String::from_utf8_lossy(content).into_owned());
    let status = if body.is_some() { 200 } else { 404 };
    let body = body.unwrap_or_else(|| {
        "<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html><head>\n<title>404 Not \
         Found</title>\n</head><body>\n<h1>Not Found</h1>\n<p>The requested URL was not found on \
         this server.</p>\n</body></html>\n"
            .to_string()
    });
    io.stdout(&format!(
        "{} - - [{}] \"{} {} HTTP/1.1\" {status} {}\n",
        asked.arrived.peer.ip(),
        io.clock.timestamp(io.now).strftime("%d/%b/%Y:%H:%M:%S +0000"),
        asked.request.method,
        asked.request.path,
        body.len()
    ));
    Reply::Send(network::Payload::HttpResponse(page(status, "text/html", body).into()))
}

/// `registry.k8s.io/hpa-example`: PHP that computes for a while.
pub(crate) static HPA_EXAMPLE: ImageDefinition = ImageDefinition {
    repository: "registry.k8s.io/hpa-example",
    sizes: &[("", 160_000_000)],
    command: &["apache2-foreground"],
    program: |name, _| {
        let site = Site {
            name: "hpa-example",
            ports: |_| Ok(vec![80]),
            answer: |_, _, _| Reply::After(Duration::from_millis(60), text(200, "OK!")),
            ..SITE
        };
        (name == "apache2-foreground").then(|| start(&site)).flatten()
    },
    ..PLAIN
};

/// `registry.k8s.io/liveness`: healthy for ten seconds.
pub(crate) static LIVENESS: ImageDefinition = ImageDefinition {
    repository: "registry.k8s.io/liveness",
    sizes: &[("", 2_000_000)],
    entrypoint: &["/server"],
    program: |name, _| (name == "server").then(liveness).flatten(),
    ..PLAIN
};

/// Upstream: test/images/agnhost/liveness/server.go.
pub(super) fn liveness() -> Option<Box<dyn Process>> {
    start(&Site {
        name: "liveness",
        ports: |_| Ok(vec![8080]),
        answer: |state, asked, io| {
            let age = io.now - state.started;
            match asked.path {
                "/started" => Reply::Send(text(200, format!("{age}"))),
                "/healthz" if age > Duration::from_secs(10) => {
                    let seconds = age.as_millis() / 1000;
                    let rest = age.as_millis() % 1000;
                    Reply::Send(text(500, format!("error: {seconds}.{rest:03}")))
                }
                "/healthz" => Reply::Send(text(200, "ok")),
                _ => Reply::Send(text(404, "404 page not found\n")),
            }
        },
        tidy: Tidy { drain: Duration::ZERO, code: 2 },
        ..SITE
    })
}
