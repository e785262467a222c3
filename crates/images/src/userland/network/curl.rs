//! `curl`, for images that have it.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::sync::Arc;

use network::{HttpRequest, HttpResponse, Payload};
use runtime::{Flow, Io, Process, ProcessEvent};
use sim::{Digest, Duration, Time};

use super::{Options, fail, milliseconds};
use crate::net::{Call, CallError, DialError, Url, header, http_response, reason};

const MAX_REDIRECTIONS: u32 = 50;

#[derive(Clone, Debug)]
struct Curl {
    address: String,
    silent: bool,
    show_error: bool,
    fail: bool,
    head: bool,
    include: bool,
    follow: bool,
    verbose: bool,
    output: Option<String>,
    write_out: Option<String>,
    request: HttpRequest,
    limit: Option<Duration>,
    connect_limit: Option<Duration>,
    began: Time,
    redirections: u32,
    call: Option<Call>,
    last_target: Option<SocketAddrV4>,
}

/// The program of `curl ARGS`; the arguments are the words after the command.
pub(crate) fn curl(argv: &[String]) -> Box<dyn Process> {
    let long = [
        "output",
        "write-out",
        "max-time",
        "connect-timeout",
        "header",
        "data",
        "data-raw",
        "request",
        "user-agent",
        "user",
        "retry",
        "retry-delay",
        "cacert",
        "cert",
        "key",
        "resolve",
        "max-redirs",
        "url",
    ];
    let options = Options::parse(argv.get(1..).unwrap_or_default(), "owmHdXAuFTxebcEK", &long);
    let mut headers =
        BTreeMap::from([header("user-agent", "curl/8.14.1"), header("accept", "*/*")]);
    if let Some(agent) = options.value(&["A", "user-agent"]) {
        headers.extend([header("user-agent", agent)]);
    }
    for line in options.values(&["H", "header"]) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        headers.extend([header(&name.to_ascii_lowercase(), value.trim())]);
    }
    let head = options.has(&["I", "head"]);
    let data: Vec<&str> = options.values(&["d", "data", "data-raw"]).collect();
    let method = match options.value(&["X", "request"]) {
        Some(method) => method,
        None if head => "HEAD",
        None if !data.is_empty() => "POST",
        None => "GET",
    };
    let request = HttpRequest {
        method: method.to_string(),
        path: String::new(),
        headers,
        body: data.join("&"),
    };
    let limit =
        |names: &[&str]| options.value(names).and_then(milliseconds).map(Duration::from_millis);
    let url = options.value(&["url"]).map(str::to_string);
    Box::new(Curl {
        address: url.or(options.operands.first().cloned()).unwrap_or_default(),
        silent: options.has(&["s", "silent"]),
        show_error: options.has(&["S", "show-error"]),
        fail: options.has(&["f", "fail"]),
        head,
        include: options.has(&["i", "include"]),
        follow: options.has(&["L", "location"]),
        verbose: options.has(&["v", "verbose"]),
        output: options.value(&["o", "output"]).map(str::to_string),
        write_out: options.value(&["w", "write-out"]).map(str::to_string),
        request,
        limit: limit(&["m", "max-time"]),
        connect_limit: limit(&["connect-timeout"]),
        began: Time::ZERO,
        redirections: 0,
        call: None,
        last_target: None,
    })
}

impl Curl {
    fn begin(&mut self, io: &mut Io<'_>) -> Flow {
        if self.address.is_empty() {
            let usage = "curl: try 'curl --help' or 'curl --manual' for more information";
            return fail(usage, 2, io);
        }
        let Some(url) = Url::parse(&self.address) else {
            return self.error(3, "URL rejected: Malformed input to a URL function", io);
        };
        self.request.path.clone_from(&url.path);
        self.request.headers.entry("host".to_string()).or_insert_with(|| url.authority());
        // A limit to the connection counts as one to the whole until the connection stands.
        let limit = match (self.limit, self.connect_limit) {
            (Some(whole), Some(connect)) => Some(whole.min(connect)),
            (whole, connect) => whole.or(connect),
        };
        let request = Payload::HttpRequest(Arc::new(self.request.clone()));
        self.call = Some(Call::begin((&url.host, url.port), request, limit, io));
        self.wait(io)
    }

    fn wait(&mut self, _io: &Io<'_>) -> Flow {
        self.last_target = self.call.as_ref().and_then(Call::target).or(self.last_target);
        self.call.as_ref().and_then(Call::next_wake).map_or(Flow::Continue, Flow::WaitUntil)
    }

    /// Ends with an error in curl's words.
    fn error(&self, code: i32, why: &str, io: &mut Io<'_>) -> Flow {
        if !self.silent || self.show_error {
            io.stderr(&format!("curl: ({code}) {why}\n"));
        }
        self.print_write_out(None, io);
        Flow::Exit(code)
    }

    fn failed(&self, url: &Url, error: &CallError, io: &mut Io<'_>) -> Flow {
        let took = (io.now - self.began).as_millis();
        let Url { host, port, .. } = url;
        let cannot =
            |why: &str| format!("Failed to connect to {host} port {port} after {took} ms: {why}");
        let (code, why) = match error {
            CallError::Dial(DialError::Name(_)) => (6, format!("Could not resolve host: {host}")),
            CallError::Dial(DialError::TimedOut(_)) => (28, cannot("Could not connect to server")),
            CallError::Dial(_) => (7, cannot("Could not connect to server")),
            CallError::Broken(_) => (52, "Empty reply from server".to_string()),
            CallError::Deadline(None) => {
                (28, format!("Resolving timed out after {took} milliseconds"))
            }
            CallError::Deadline(Some(_)) => {
                let stands = self.call.as_ref().is_some_and(Call::was_connected);
                let why = if stands {
                    format!("Operation timed out after {took} milliseconds with 0 bytes received")
                } else {
                    format!("Connection timed out after {took} milliseconds")
                };
                (28, why)
            }
        };
        self.error(code, &why, io)
    }

    fn finish(&mut self, response: &HttpResponse, io: &mut Io<'_>) -> Flow {
        if self.follow
            && matches!(response.status, 301..=303 | 307 | 308)
            && let Some(location) = response.headers.get("location")
        {
            self.redirections += 1;
            if self.redirections > MAX_REDIRECTIONS {
                return self.error(47, "Maximum (50) redirects followed", io);
            }
            self.address = match (location.strip_prefix('/'), Url::parse(&self.address)) {
                (Some(path), Some(url)) => format!("http://{}/{path}", url.authority()),
                _ => location.clone(),
            };
            self.request.headers.remove("host");
            return self.begin(io);
        }
        if self.fail && response.status >= 400 {
            let why = format!("The requested URL returned error: {}", response.status);
            if !self.silent || self.show_error {
                io.stderr(&format!("curl: (22) {why}\n"));
            }
            self.print_write_out(Some(response), io);
            return Flow::Exit(22);
        }
        let mut text = String::new();
        if self.head || self.include {
            text = format!("HTTP/1.1 {} {}\r\n", response.status, reason(response.status));
            for (name, value) in &response.headers {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
            text.push_str("\r\n");
        }
        if !self.head {
            text.push_str(&response.body);
        }
        if self.verbose {
            io.stderr(&format!("< HTTP/1.1 {} {}\n", response.status, reason(response.status)));
        }
        match &self.output {
            Some(path) if path != "-" => {
                let at = crate::userland::absolute(&io.environment.working_directory, path);
                if at != "/dev/null" && !io.files.write(&at, text.as_bytes()) {
                    return self.error(23, "client returned ERROR on write", io);
                }
            }
            _ => io.stdout(&text),
        }
        self.print_write_out(Some(response), io);
        Flow::Exit(0)
    }

    fn print_write_out(&self, response: Option<&HttpResponse>, io: &mut Io<'_>) {
        let Some(format) = &self.write_out else { return };
        let status = response.map_or(0, |response| response.status);
        let size = response.map_or(0, |response| response.body.len());
        let took = (io.now - self.began).as_millis();
        let address = self.last_target.map(|peer| peer.ip().to_string()).unwrap_or_default();
        let seconds = format!("{}.{:03}000", took / 1000, took % 1000);
        let values = [
            ("%{http_code}", format!("{status:03}")),
            ("%{response_code}", format!("{status:03}")),
            ("%{time_total}", seconds),
            ("%{size_download}", size.to_string()),
            ("%{remote_ip}", address),
            ("\\n", "\n".to_string()),
            ("\\t", "\t".to_string()),
        ];
        let text =
            values.iter().fold(format.clone(), |text, (name, value)| text.replace(name, value));
        io.stdout(&text);
    }
}

impl Process for Curl {
    fn on(&mut self, event: ProcessEvent, io: &mut Io<'_>) -> Flow {
        if event == ProcessEvent::Started {
            self.began = io.now;
            return self.begin(io);
        }
        let Some(call) = &mut self.call else { return Flow::Continue };
        if let ProcessEvent::Signal(signal) = event {
            call.cancel(io);
            return Flow::Exit(signal.exit_code());
        }
        let result = call.poll(&event, io);
        if call.was_connected() {
            call.extend(self.limit.map(|limit| self.began + limit));
        }
        match result {
            None => self.wait(io),
            Some(Ok((answer, socket, peer))) => {
                io.network.close(socket);
                self.last_target = Some(peer);
                match http_response(&answer) {
                    Some(response) => self.finish(&response, io),
                    None => self.error(1, "Received HTTP/0.9 when not allowed", io),
                }
            }
            Some(Err(error)) => match Url::parse(&self.address) {
                Some(url) => self.failed(&url, &error, io),
                None => Flow::Exit(3),
            },
        }
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.str(&self.address);
        digest.add(&self.began);
        digest.u64(u64::from(self.redirections));
        if let Some(call) = &self.call {
            digest.add(call);
        }
    }
}
