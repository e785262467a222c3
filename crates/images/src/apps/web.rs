//! Small web servers that examples use.

use network::Payload;
use runtime::{Environment, Io, Process};
use sim::Duration;

use super::{Asked, PLAIN, SITE, Site, State, flag, log_time, port_from, port_of, start};
use crate::catalogue::ImageDefinition;
use crate::net::{Reply, Step, Tidy, header, page, text};
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
pub(super) fn documents(root: &str, asked: &Asked<'_>, io: &mut Io<'_>) -> Reply {
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

/// `wordpress`: needs its database for every page.
pub(crate) static WORDPRESS: ImageDefinition = ImageDefinition {
    repository: "docker.io/library/wordpress",
    sizes: &[("", 230_000_000)],
    entrypoint: &["docker-entrypoint.sh"],
    command: &["apache2-foreground"],
    program: |name, _| {
        let site = Site {
            name: "wordpress",
            ports: |io| {
                io.stderr(
                    "WordPress not found in /var/www/html - copying now...\nComplete! WordPress \
                           has been successfully copied to /var/www/html\n",
                );
                Ok(vec![80])
            },
            answer: |_, asked, io| {
                let variables = &io.environment.variables;
                let host = variables.get("WORDPRESS_DB_HOST").map_or("mysql", String::as_str);
                let (host, port) = host.split_once(':').unwrap_or((host, "3306"));
                let request = super::redis::bytes("PING");
                let port = port.parse().unwrap_or(3306);
                let step = Step { host: host.to_string(), port, request, origin: "" };
                let then = match asked.path {
                    "/wp-admin/install.php" => text(200, "<h1>Welcome</h1>\n"),
                    _ => found("/wp-admin/install.php"),
                };
                Reply::Ask { steps: vec![step], limit: Duration::from_secs(30), then }
            },
            failed: |_, _, _| {
                Some(text(500, "<h1>Error establishing a database connection</h1>\n"))
            },
            ..SITE
        };
        matches!(name, "apache2-foreground" | "docker-entrypoint.sh")
            .then(|| start(&site))
            .flatten()
    },
    ..PLAIN
};

/// A redirection to another path.
fn found(path: &str) -> Payload {
    let mut response = page(302, "text/html", "");
    response.headers.extend([header("location", path)]);
    Payload::HttpResponse(response.into())
}

/// `gcr.io/google_samples/gb-frontend`: the guestbook, which writes to the leader and reads from
/// the followers.
pub(crate) static GUESTBOOK: ImageDefinition = ImageDefinition {
    repository: "gcr.io/google_samples/gb-frontend",
    sizes: &[("", 200_000_000)],
    command: &["apache2-foreground"],
    program: |name, _| {
        let site = Site {
            name: "guestbook",
            ports: |_| Ok(vec![80]),
            answer: guestbook,
            failed: |_, _, io| {
                io.stderr("PHP Fatal error:  Uncaught Predis\\Connection\\ConnectionException\n");
                Some(text(500, ""))
            },
            answered: |answer| {
                let value = answer.split("\r\n").nth(1).unwrap_or_default();
                Some(text(200, format!("{{\"data\": {value:?}}}")))
            },
            ..SITE
        };
        (name == "apache2-foreground").then(|| start(&site)).flatten()
    },
    ..PLAIN
};

fn guestbook(_state: &mut State, asked: &Asked<'_>, io: &mut Io<'_>) -> Reply {
    let host = |role: &str, variable: &str| {
        let by_variables =
            io.environment.variables.get("GET_HOSTS_FROM").is_some_and(|from| from == "env");
        let named = io.environment.variables.get(variable).filter(|_| by_variables);
        named.cloned().unwrap_or_else(|| format!("redis-{role}"))
    };
    let key = asked.value("key").unwrap_or_else(|| "guestbook".to_string());
    let (host, words, then) = match (asked.path, asked.value("cmd").as_deref()) {
        ("/", _) => return Reply::Send(text(200, "<html><h2>Guestbook</h2></html>\n")),
        ("/guestbook.php", Some("set")) => {
            let value = asked.value("value").unwrap_or_default();
            let done = text(200, "{\"message\": \"Updated\"}");
            (host("leader", "REDIS_LEADER_SERVICE_HOST"), vec!["SET".into(), key, value], done)
        }
        ("/guestbook.php", _) => {
            let host = host("follower", "REDIS_FOLLOWER_SERVICE_HOST");
            (host, vec!["GET".to_string(), key], Payload::Empty)
        }
        _ => return Reply::Send(text(404, "Not Found\n")),
    };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let request = super::redis::command(&words);
    let steps = vec![Step { host, port: 6379, request, origin: "" }];
    Reply::Ask { steps, limit: Duration::from_secs(10), then }
}

const fn server_of(
    repository: &'static str,
    command: &'static [&'static str],
    program: userland::Lookup,
) -> ImageDefinition {
    ImageDefinition { repository, command, program, sizes: &[("", 120_000_000)], ..PLAIN }
}

/// `registry.k8s.io/kubernetes-zookeeper`.
pub(crate) static ZOOKEEPER: ImageDefinition =
    server_of("registry.k8s.io/kubernetes-zookeeper", &["start-zookeeper"], |name, _| match name {
        "start-zookeeper" => crate::server::program(crate::server::ENTRYPOINT),
        "zookeeper-ready" => Some(super::base::Quick::start("imok", 0)),
        _ => None,
    });

/// `gcr.io/google-samples/cassandra`.
pub(crate) static CASSANDRA: ImageDefinition =
    server_of("gcr.io/google-samples/cassandra", &["/run.sh"], |name, _| match name {
        "run.sh" => crate::server::program(crate::server::ENTRYPOINT),
        "ready-probe.sh" | "nodetool" => Some(super::base::Quick::start("", 0)),
        _ => None,
    });
