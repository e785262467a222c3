//! nginx: a web server and a proxy.

use std::sync::Arc;

use network::{HttpRequest, HttpResponse, Payload};
use runtime::{Environment, Flow, Io, Process, ProcessEvent, Signal};
use sim::{Digest, Duration, Sort};

mod config;
#[cfg(test)]
mod tests;

use config::{Config, Location, Match, Site};

use crate::net::{
    Arrived, CallError, Host, Lookup, Reply, Service, Step, StepFailure, Tidy, header, page, reason,
};

use crate::apps::PLAIN;
use crate::apps::base::Quick;
use crate::catalogue::ImageDefinition;
use crate::tags::Tags;
use crate::userland;

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
    by_tag: &[],
    files: FILES,
};

/// `registry.k8s.io/nginx-slim`.
pub(crate) static SLIM: ImageDefinition = ImageDefinition {
    repository: "registry.k8s.io/nginx-slim",
    sizes: &[("", 43_000_000)],
    command: &["nginx", "-g", "daemon off;"],
    program,
    files: FILES,
    ..PLAIN
};

const FILES: &[(&str, &str)] = &[
    (config::MAIN, config::DEFAULT_MAIN),
    ("/etc/nginx/conf.d/default.conf", config::DEFAULT_SITE),
    ("/usr/share/nginx/html/index.html", WELCOME),
];
const WELCOME: &str = "<!DOCTYPE html>\n<html>\n<head>\n<title>Welcome to nginx!</title>\n</head>\n\
    <body>\n<h1>Welcome to nginx!</h1>\n<p>If you see this page, nginx is successfully installed \
    and working.\nFurther configuration is required.</p>\n</body>\n</html>\n";
/// How long nginx waits for an upstream. Upstream: ngx_http_proxy_module, proxy_read_timeout.
const PROXY_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a graceful end takes when no request is open.
const DRAIN: Duration = Duration::from_millis(20);

fn program(name: &str, environment: &Environment) -> Option<Box<dyn Process>> {
    match name {
        "curl" => Some(userland::curl(&environment.argv)),
        // The signal goes to the server's own process, which is not this one.
        "nginx" if environment.argv.iter().any(|word| word == "-s") => Some(Quick::start("", 0)),
        "nginx" | "nginx-debug" => Some(start(&environment.argv, false)),
        // The image's start script hands over to the command that follows it.
        "docker-entrypoint.sh" => {
            let command = environment.argv.get(1).map(String::as_str);
            let is_server = command.is_none_or(|command| command == "nginx");
            is_server.then(|| start(&environment.argv, true))
        }
        _ => None,
    }
}

fn start(argv: &[String], by_script: bool) -> Box<dyn Process> {
    let at = argv.iter().position(|word| word == "-c").and_then(|at| argv.get(at + 1));
    let main = at.cloned().unwrap_or_else(|| config::MAIN.to_string());
    let only_test = argv.iter().any(|word| word == "-t");
    Box::new(Starting { main, by_script, only_test, config: None, lookup: None, server: None })
}

/// nginx from its first instant on: it resolves the hosts of its configuration before it
/// listens.
#[derive(Clone, Debug)]
struct Starting {
    main: String,
    by_script: bool,
    only_test: bool,
    config: Option<Config>,
    lookup: Option<Box<Lookup>>,
    server: Option<Box<dyn Process>>,
}

fn log(level: &str, text: &str, io: &mut Io<'_>) {
    let time = io.clock.timestamp(io.now).strftime("%Y/%m/%d %H:%M:%S").to_string();
    io.stderr(&format!("{time} [{level}] 1#1: {text}\n"));
}

impl Starting {
    fn fail(why: &str, io: &mut Io<'_>) -> Flow {
        log("emerg", why, io);
        io.stderr(&format!("nginx: [emerg] {why}\n"));
        Flow::Exit(1)
    }

    fn begin(&mut self, io: &mut Io<'_>) -> Flow {
        if self.by_script {
            io.stdout("/docker-entrypoint.sh: Configuration complete; ready for start up\n");
        }
        match config::read(io.files, &self.main) {
            Ok(config) => self.config = Some(config),
            Err(why) => return Self::fail(&why, io),
        }
        self.resolve(io)
    }

    /// Resolves the next host, or begins to serve.
    fn resolve(&mut self, io: &mut Io<'_>) -> Flow {
        while let Some((host, _)) = self.config.as_ref().and_then(|config| config.hosts.first()) {
            match Lookup::begin(&host.clone(), io) {
                Ok(Ok(_)) => self.drop_host(),
                Ok(Err(_)) => return self.host_unknown(io),
                Err(lookup) => {
                    let wake = lookup.next_wake();
                    self.lookup = Some(lookup);
                    return wake.map_or(Flow::Continue, Flow::WaitUntil);
                }
            }
        }
        let config = Arc::new(self.config.take().unwrap_or_default());
        if self.only_test {
            io.stderr(&format!(
                "nginx: the configuration file {0} syntax is ok\nnginx: configuration file {0} \
                 test is successful\n",
                self.main
            ));
            return Flow::Exit(0);
        }
        let nginx = Nginx { main: self.main.clone(), config, served: 0 };
        let mut server = Host::start(nginx);
        let flow = server.on(ProcessEvent::Started, io);
        self.server = Some(server);
        flow
    }

    fn host_unknown(&self, io: &mut Io<'_>) -> Flow {
        let hosts = self.config.as_ref().and_then(|config| config.hosts.first());
        let why = hosts.map(|(_, why)| why.clone()).unwrap_or_default();
        Self::fail(&why, io)
    }

    fn drop_host(&mut self) {
        if let Some(config) = &mut self.config {
            config.hosts.remove(0);
        }
    }
}

impl Process for Starting {
    fn on(&mut self, event: ProcessEvent, io: &mut Io<'_>) -> Flow {
        if let Some(server) = &mut self.server {
            return server.on(event, io);
        }
        if let Some(lookup) = &mut self.lookup {
            if let ProcessEvent::Signal(signal) = event {
                lookup.cancel(io);
                return Flow::Exit(signal.exit_code());
            }
            let result = lookup.poll(&event, io);
            let wake = lookup.next_wake();
            return match result {
                None => wake.map_or(Flow::Continue, Flow::WaitUntil),
                Some(Ok(_)) => {
                    self.lookup = None;
                    self.drop_host();
                    self.resolve(io)
                }
                Some(Err(_)) => self.host_unknown(io),
            };
        }
        match event {
            ProcessEvent::Started => self.begin(io),
            _ => Flow::Continue,
        }
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.str(&self.main);
        digest.u64(self.config.as_ref().map_or(0, |config| config.hosts.len() as u64 + 1));
        if let Some(lookup) = &self.lookup {
            digest.add(&**lookup);
        }
        if let Some(server) = &self.server {
            server.digest(digest);
        }
    }
}

/// The master process with its workers.
#[derive(Clone, Debug)]
struct Nginx {
    main: String,
    config: Arc<Config>,
    /// How many requests it has taken, which picks the upstream whose turn it is.
    served: u64,
}

impl Nginx {
    fn site(&self, port: u16, host: &str) -> Option<&Site> {
        let host = host.split(':').next().unwrap_or_default();
        let mut sites = self.config.sites.iter().filter(|site| site.ports.contains(&port));
        let first = sites.clone().next();
        let named = |site: &&Site| site.names.iter().any(|name| matches_name(name, host));
        sites.find(named).or(first)
    }

    fn answer(&self, arrived: &Arrived, request: &HttpRequest, io: &mut Io<'_>) -> Reply {
        let host = request.headers.get("host").map(String::as_str).unwrap_or_default();
        let Some(site) = self.site(arrived.port, host) else { return Reply::Silence };
        let path = request.path.split(['?', '#']).next().unwrap_or_default();
        if let Some((status, text)) = &site.own.answer {
            return fixed(*status, text, &site.own, (arrived, request, path), io);
        }
        let location = location(site, path).unwrap_or(&site.own);
        if let Some((status, text)) = &location.answer {
            return fixed(*status, text, location, (arrived, request, path), io);
        }
        if let Some(target) = &location.proxy {
            return self.proxy(target, location, (arrived, request, path), io);
        }
        if location.status_page {
            let body = format!(
                "Active connections: 1 \nserver accepts handled requests\n {0} {0} {0} \n\
                 Reading: 0 Writing: 1 Waiting: 0 \n",
                self.served
            );
            return send(page(200, "text/plain", body), location);
        }
        send(document(site, location, path, io), location)
    }

    fn proxy(
        &self,
        target: &str,
        location: &Location,
        (arrived, request, path): (&Arrived, &HttpRequest, &str),
        io: &mut Io<'_>,
    ) -> Reply {
        let target = variables(target, (arrived, request, path), io);
        let rest = target.split("://").last().unwrap_or_default();
        let (authority, prefix) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let path = if prefix.is_empty() {
            request.path.clone()
        } else {
            let below = request.path.strip_prefix(&location.pattern).unwrap_or_default();
            format!("{prefix}{below}")
        };
        let (host, port) = match self.config.upstreams.get(authority) {
            Some(servers) if !servers.is_empty() => {
                let turn = self.served % servers.len() as u64;
                servers[usize::try_from(turn).unwrap_or(0)].clone()
            }
            _ => config::host_and_port(authority),
        };
        let mut headers = request.headers.clone();
        headers.extend([
            header("host", authority),
            header("x-forwarded-for", &arrived.peer.ip().to_string()),
        ]);
        headers.remove("connection");
        let request = HttpRequest {
            method: request.method.clone(),
            path,
            headers,
            body: request.body.clone(),
        };
        let step =
            Step { host, port, request: Payload::HttpRequest(Arc::new(request)), origin: "" };
        Reply::Ask { steps: vec![step], limit: PROXY_TIMEOUT, then: Payload::Empty }
    }
}

fn matches_name(name: &str, host: &str) -> bool {
    match name.strip_prefix('*') {
        Some(suffix) => host.ends_with(suffix),
        None => name.eq_ignore_ascii_case(host),
    }
}

/// Upstream: ngx_http_core_module, location: exact, then the longest prefix, unless a regular
/// expression matches.
fn location<'a>(site: &'a Site, path: &str) -> Option<&'a Location> {
    let of = |kind: Match| site.locations.iter().filter(move |l| l.matching == Some(kind));
    let exact = of(Match::Exact).find(|location| location.pattern == path);
    let suffix = || of(Match::Suffix).find(|location| path.ends_with(&location.pattern));
    let prefix = || {
        let matching = of(Match::Prefix).filter(|location| path.starts_with(&location.pattern));
        matching.max_by_key(|location| location.pattern.len())
    };
    exact.or_else(suffix).or_else(prefix)
}

fn send(mut response: HttpResponse, location: &Location) -> Reply {
    response.headers.extend([header("server", "nginx")]);
    response.headers.extend(location.headers.iter().cloned());
    Reply::Send(Payload::HttpResponse(Arc::new(response)))
}

fn fixed(
    status: u16,
    text: &str,
    location: &Location,
    request: (&Arrived, &HttpRequest, &str),
    io: &mut Io<'_>,
) -> Reply {
    let text = variables(text, request, io);
    if matches!(status, 301 | 302 | 303 | 307 | 308) {
        let mut response = error_page(status);
        response.headers.extend([header("location", &text)]);
        return send(response, location);
    }
    if text.is_empty() && status != 200 {
        return send(error_page(status), location);
    }
    let default_type = location.default_type.as_deref().unwrap_or("text/plain");
    send(page(status, default_type, text), location)
}

/// Puts in the values of nginx's variables.
fn variables(
    text: &str,
    (arrived, request, path): (&Arrived, &HttpRequest, &str),
    io: &Io<'_>,
) -> String {
    if !text.contains('$') {
        return text.to_string();
    }
    let host = request.headers.get("host").map(String::as_str).unwrap_or_default();
    let query = request.path.split_once('?').map_or("", |(_, query)| query);
    let values = [
        ("$hostname", io.environment.hostname.clone()),
        ("$host", host.split(':').next().unwrap_or_default().to_string()),
        ("$http_host", host.to_string()),
        ("$request_uri", request.path.clone()),
        ("$request_method", request.method.clone()),
        ("$uri", path.to_string()),
        ("$args", query.to_string()),
        ("$remote_addr", arrived.peer.ip().to_string()),
        ("$server_addr", io.network.address().to_string()),
        ("$server_port", arrived.port.to_string()),
        ("$scheme", "http".to_string()),
    ];
    values.iter().fold(text.to_string(), |text, (name, value)| text.replace(name, value))
}

/// nginx's own words for some.
fn words(status: u16) -> &'static str {
    match status {
        302 => "Moved Temporarily",
        503 => "Service Temporarily Unavailable",
        504 => "Gateway Time-out",
        _ => reason(status),
    }
}

fn error_page(status: u16) -> HttpResponse {
    let words = format!("{status} {}", words(status));
    let body = format!(
        "<html>\r\n<head><title>{words}</title></head>\r\n<body>\r\n<center><h1>{words}</h1>\
         </center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    );
    page(status, "text/html", body)
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" | "htm" => "text/html",
        "css" => "text/css",
        "js" => "application/javascript",
        "json" => "application/json",
        "txt" => "text/plain",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

/// The file that a path names.
fn document(site: &Site, location: &Location, path: &str, io: &mut Io<'_>) -> HttpResponse {
    let root = location.root.as_ref().or(site.own.root.as_ref());
    let root = root.map_or("/etc/nginx/html", |root| root.trim_end_matches('/'));
    let place = |path: &str| match &location.alias {
        Some(alias) => {
            format!("{alias}{}", path.strip_prefix(&location.pattern).unwrap_or_default())
        }
        None => format!("{root}{path}"),
    };
    let tries: Vec<String> = match location.try_files.as_slice() {
        [] => vec![path.to_string()],
        words => words.iter().map(|word| word.replace("$uri", path)).collect(),
    };
    let indexes = [&location.index, &site.own.index].into_iter().find(|index| !index.is_empty());
    let indexes =
        indexes.map_or(vec!["index.html"], |all| all.iter().map(String::as_str).collect());
    for candidate in &tries {
        if let Some(status) = candidate.strip_prefix('=') {
            return error_page(status.parse().unwrap_or(404));
        }
        let file = place(candidate);
        if let Some(content) = io.files.read(&file) {
            return page(200, content_type(&file), String::from_utf8_lossy(content));
        }
        if !file.ends_with('/') {
            continue;
        }
        for index in &indexes {
            if let Some(content) = io.files.read(&format!("{file}{index}")) {
                return page(200, content_type(index), String::from_utf8_lossy(content));
            }
        }
        if io.files.exists(file.trim_end_matches('/')) {
            let why = format!("directory index of \"{file}\" is forbidden");
            log("error", &why, io);
            return error_page(403);
        }
    }
    let directory = place(path);
    if !path.ends_with('/') && io.files.exists(&directory) {
        let mut response = error_page(301);
        response.headers.extend([header("location", &format!("{path}/"))]);
        return response;
    }
    let why = format!("open() \"{directory}\" failed (2: No such file or directory)");
    log("error", &why, io);
    error_page(404)
}

impl Service for Nginx {
    fn begin(&mut self, io: &mut Io<'_>) -> Result<Vec<u16>, i32> {
        log("notice", "using the \"epoll\" event method", io);
        log("notice", "start worker processes", io);
        let mut ports: Vec<u16> =
            self.config.sites.iter().flat_map(|site| site.ports.iter().copied()).collect();
        ports.order();
        ports.dedup();
        Ok(ports)
    }

    fn port_taken(&self, port: u16, io: &mut Io<'_>) {
        let why = format!("bind() to 0.0.0.0:{port} failed (98: Address already in use)");
        Starting::fail(&why, io);
    }

    fn serve(&mut self, arrived: &Arrived, io: &mut Io<'_>) -> Reply {
        let Payload::HttpRequest(request) = &arrived.payload else {
            return match &arrived.payload {
                Payload::Empty => Reply::Silence,
                _ => Reply::Finish(Payload::HttpResponse(Arc::new(error_page(400)))),
            };
        };
        self.served += 1;
        let reply = self.answer(arrived, request, io);
        let (status, length) = match &reply {
            Reply::Send(Payload::HttpResponse(response)) => (response.status, response.body.len()),
            _ => (200, 0),
        };
        let time = io.clock.timestamp(io.now).strftime("%d/%b/%Y:%H:%M:%S +0000").to_string();
        let agent = request.headers.get("user-agent").map_or("-", String::as_str);
        io.stdout(&format!(
            "{} - - [{time}] \"{} {} HTTP/1.1\" {status} {length} \"-\" \"{agent}\" \"-\"\n",
            arrived.peer.ip(),
            request.method,
            request.path
        ));
        reply
    }

    fn failed(&mut self, step: &Step, failure: &StepFailure, io: &mut Io<'_>) -> Option<Payload> {
        let (status, why) = match failure {
            StepFailure::Status(response) => {
                return Some(Payload::HttpResponse(response.clone()));
            }
            StepFailure::Call(CallError::Deadline(_)) => (504, "110: Connection timed out"),
            StepFailure::Call(CallError::Broken(_)) => (502, "104: Connection reset by peer"),
            StepFailure::Call(CallError::Dial(_)) => (502, "111: Connection refused"),
        };
        let why = format!(
            "connect() failed ({why}) while connecting to upstream, upstream: \"http://{}:{}{}\"",
            step.host,
            step.port,
            step.path()
        );
        log("error", &why, io);
        Some(Payload::HttpResponse(Arc::new(error_page(status))))
    }

    fn signalled(&mut self, signal: Signal, io: &mut Io<'_>) -> Option<Tidy> {
        match signal {
            Signal::Quit => {
                log("notice", "signal 3 (SIGQUIT) received, shutting down", io);
                Some(Tidy { drain: DRAIN, code: 0 })
            }
            Signal::Term | Signal::Int => {
                let why = format!("signal {} received, exiting", signal.number());
                log("notice", &why, io);
                Some(Tidy { drain: Duration::ZERO, code: 0 })
            }
            Signal::Hup => {
                log("notice", "signal 1 (SIGHUP) received, reconfiguring", io);
                match config::read(io.files, &self.main) {
                    Ok(config) => self.config = Arc::new(config),
                    Err(why) => log("emerg", &why, io),
                }
                None
            }
            _ => None,
        }
    }

    fn clone_service(&self) -> Box<dyn Service> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.str("nginx");
        digest.u64(self.served);
        digest.u64(self.config.sites.len() as u64);
        for site in &self.config.sites {
            site.ports.iter().for_each(|port| digest.u64(u64::from(*port)));
            digest.u64(site.locations.len() as u64);
        }
    }
}
