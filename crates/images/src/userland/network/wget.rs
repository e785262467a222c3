//! `wget`, as BusyBox has it. Upstream: busybox, networking/wget.c.

use std::collections::BTreeMap;
use std::sync::Arc;

use network::{HttpRequest, HttpResponse, Payload};
use runtime::{Flow, Io, Process, ProcessEvent};
use sim::{Digest, Duration};

use super::{Options, fail, milliseconds};
use crate::net::{Call, CallError, DialError, Url, header, http_response, reason};

/// The time after which BusyBox gives up unless told otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(900);
const MAX_REDIRECTIONS: u32 = 5;

#[derive(Clone, Debug)]
struct Wget {
    address: String,
    quiet: bool,
    spider: bool,
    show_headers: bool,
    output: Option<String>,
    request: HttpRequest,
    timeout: Duration,
    redirections: u32,
    call: Option<Call>,
    announced: bool,
}

/// The program of `wget ARGS`.
pub(super) fn wget(args: &[String]) -> Box<dyn Process> {
    let long = ["timeout", "output-document", "header", "post-data", "user-agent", "tries"];
    let options = Options::parse(args, "OTUPYtoe", &long);
    let mut headers = BTreeMap::from([header("user-agent", "Wget"), header("connection", "close")]);
    if let Some(agent) = options.value(&["U", "user-agent"]) {
        headers.extend([header("user-agent", agent)]);
    }
    for line in options.values(&["header"]) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        headers.extend([header(&name.to_ascii_lowercase(), value.trim())]);
    }
    let body = options.value(&["post-data"]);
    let request = HttpRequest {
        method: if body.is_some() { "POST" } else { "GET" }.to_string(),
        path: String::new(),
        headers,
        body: body.unwrap_or_default().to_string(),
    };
    let timeout = options.value(&["T", "timeout"]).and_then(milliseconds);
    Box::new(Wget {
        address: options.operands.first().cloned().unwrap_or_default(),
        quiet: options.has(&["q", "quiet"]),
        spider: options.has(&["spider"]),
        show_headers: options.has(&["S", "server-response"]),
        output: options.value(&["O", "output-document"]).map(str::to_string),
        request,
        timeout: timeout.map_or(DEFAULT_TIMEOUT, Duration::from_millis),
        redirections: 0,
        call: None,
        announced: false,
    })
}

impl Wget {
    fn begin(&mut self, io: &mut Io<'_>) -> Flow {
        if self.address.is_empty() {
            return fail("BusyBox: wget [OPTION]... URL...", 1, io);
        }
        let Some(url) = Url::parse(&self.address) else {
            return fail(&format!("wget: not an http or ftp url: {}", self.address), 1, io);
        };
        self.request.path.clone_from(&url.path);
        self.request.headers.extend([header("host", &url.authority())]);
        let request = Payload::HttpRequest(Arc::new(self.request.clone()));
        let call = Call::begin((&url.host, url.port), request, Some(self.timeout), io);
        self.call = Some(call);
        self.announced = false;
        self.announce(&url.host, io);
        self.wait(io)
    }

    fn wait(&self, io: &Io<'_>) -> Flow {
        let wake = self.call.as_ref().and_then(Call::next_wake);
        Flow::WaitUntil(wake.unwrap_or(io.now))
    }

    fn announce(&mut self, host: &str, io: &mut Io<'_>) {
        let target = self.call.as_ref().and_then(Call::target);
        if let Some(peer) = target.filter(|_| !self.announced) {
            self.announced = true;
            if !self.quiet {
                io.stderr(&format!("Connecting to {host} ({peer})\n"));
            }
        }
    }

    fn failed(&self, host: &str, error: &CallError, io: &mut Io<'_>) -> Flow {
        let cannot = |peer: &std::net::SocketAddrV4, why: &str| {
            format!("wget: can't connect to remote host ({}): {why}", peer.ip())
        };
        let text = match error {
            CallError::Dial(DialError::Name(_)) => format!("wget: bad address '{host}'"),
            CallError::Dial(DialError::Refused(peer)) => cannot(peer, "Connection refused"),
            CallError::Dial(DialError::Unreachable(peer)) => cannot(peer, "No route to host"),
            CallError::Dial(DialError::TimedOut(peer)) => cannot(peer, "Connection timed out"),
            CallError::Broken(_) => "wget: error getting response".to_string(),
            CallError::Deadline(_) => "wget: download timed out".to_string(),
        };
        fail(&text, 1, io)
    }

    fn finish(&mut self, response: &HttpResponse, io: &mut Io<'_>) -> Flow {
        if self.show_headers {
            io.stderr(&format!("  HTTP/1.1 {} {}\n", response.status, reason(response.status)));
            for (name, value) in &response.headers {
                io.stderr(&format!("  {}: {value}\n", title_case(name)));
            }
        }
        if let (301..=303 | 307 | 308, Some(location)) =
            (response.status, response.headers.get("location"))
        {
            self.redirections += 1;
            if self.redirections > MAX_REDIRECTIONS {
                return fail("wget: too many redirections", 1, io);
            }
            self.address = match (location.strip_prefix('/'), Url::parse(&self.address)) {
                (Some(path), Some(url)) => format!("http://{}/{path}", url.authority()),
                _ => location.clone(),
            };
            return self.begin(io);
        }
        if !matches!(response.status, 200..=299) {
            let words = format!("HTTP/1.1 {} {}", response.status, reason(response.status));
            return fail(&format!("wget: server returned error: {}", words.trim_end()), 1, io);
        }
        if self.spider {
            if !self.quiet {
                io.stderr("remote file exists\n");
            }
            return Flow::Exit(0);
        }
        self.save(&response.body, io)
    }

    fn save(&self, body: &str, io: &mut Io<'_>) -> Flow {
        let path = Url::parse(&self.address).map(|url| url.path).unwrap_or_default();
        let path = path.split('?').next().unwrap_or_default();
        let name = match path.rsplit('/').next().unwrap_or_default() {
            "" => "index.html",
            name => name,
        };
        let name = self.output.clone().unwrap_or_else(|| name.to_string());
        if name == "-" {
            if !self.quiet {
                io.stderr("writing to stdout\n");
            }
            io.stdout(body);
            if !self.quiet {
                io.stderr(&progress("-", body.len()));
                io.stderr("written to stdout\n");
            }
            return Flow::Exit(0);
        }
        let at = crate::userland::absolute(&io.environment.working_directory, &name);
        if at != "/dev/null" {
            if self.output.is_none() && io.files.read(&at).is_some() {
                return fail(&format!("wget: can't open '{name}': File exists"), 1, io);
            }
            if !io.files.write(&at, body.as_bytes()) {
                return fail(&format!("wget: can't open '{name}': Read-only file system"), 1, io);
            }
        }
        if !self.quiet {
            io.stderr(&format!("saving to '{name}'\n"));
            io.stderr(&progress(&name, body.len()));
            io.stderr(&format!("'{name}' saved\n"));
        }
        Flow::Exit(0)
    }
}

fn progress(name: &str, bytes: usize) -> String {
    let name: String = name.chars().take(20).collect();
    format!("{name:<20} 100% |{}| {bytes:>5}  0:00:00 ETA\n", "*".repeat(32))
}

fn title_case(name: &str) -> String {
    let mut begins = true;
    let letters = name.chars().map(|letter| {
        let shown = if begins { letter.to_ascii_uppercase() } else { letter };
        begins = letter == '-';
        shown
    });
    letters.collect()
}

impl Process for Wget {
    fn on(&mut self, event: ProcessEvent, io: &mut Io<'_>) -> Flow {
        if event == ProcessEvent::Started {
            return self.begin(io);
        }
        let Some(call) = &mut self.call else { return Flow::Continue };
        if let ProcessEvent::Signal(signal) = event {
            call.cancel(io);
            return Flow::Exit(signal.exit_code());
        }
        let result = call.poll(&event, io);
        let host = Url::parse(&self.address).map(|url| url.host).unwrap_or_default();
        match result {
            None => {
                self.announce(&host, io);
                self.wait(io)
            }
            Some(Ok((answer, socket, peer))) => {
                io.network.close(socket);
                self.announce(&host, io);
                match http_response(&answer) {
                    Some(response) => self.finish(&response, io),
                    None => self.failed(&host, &CallError::Broken(peer), io),
                }
            }
            Some(Err(error)) => {
                self.announce(&host, io);
                self.failed(&host, &error, io)
            }
        }
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }

    fn digest(&self, digest: &mut Digest) {
        digest.str(&self.address);
        digest.u64(u64::from(self.redirections));
        digest.bool(self.announced);
        if let Some(call) = &self.call {
            digest.add(call);
        }
    }
}
