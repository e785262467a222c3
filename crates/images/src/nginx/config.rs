//! nginx's configuration in its common subset.

use runtime::Files;
use sim::SmallMap;

/// At most that many included files and nested blocks.
const MAX_INCLUDES: usize = 64;
const MAX_DEPTH: usize = 16;

/// The file that is read first.
pub(super) const MAIN: &str = "/etc/nginx/nginx.conf";
/// What the image has there.
pub(super) const DEFAULT_MAIN: &str = "user  nginx;\nworker_processes  auto;\n\nevents {\n    \
     worker_connections  1024;\n}\n\nhttp {\n    default_type  application/octet-stream;\n    \
     keepalive_timeout  65;\n    include /etc/nginx/conf.d/*.conf;\n}\n";
/// What the image has in it.
pub(super) const DEFAULT_SITE: &str = "server {\n    listen       80;\n    server_name  localhost;\n\
     \n    location / {\n        root   /usr/share/nginx/html;\n        index  index.html index.htm;\
     \n    }\n\n    error_page   500 502 503 504  /50x.html;\n    location = /50x.html {\n        \
     root   /usr/share/nginx/html;\n    }\n}\n";

/// A directive with its arguments and, if it has one, its block.
#[derive(Clone, Debug, Default)]
pub(super) struct Directive {
    pub(super) words: Vec<String>,
    pub(super) block: Option<Vec<Directive>>,
    /// `file:line`
    pub(super) place: String,
}

/// How a location's pattern matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    Exact,
    Prefix,
    /// The end of the path: what the usual regular expressions `\.php$` come to.
    Suffix,
}

/// What happens to a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Location {
    pub(super) pattern: String,
    pub(super) matching: Option<Match>,
    pub(super) root: Option<String>,
    pub(super) alias: Option<String>,
    pub(super) index: Vec<String>,
    pub(super) try_files: Vec<String>,
    pub(super) answer: Option<(u16, String)>,
    pub(super) proxy: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) default_type: Option<String>,
    pub(super) status_page: bool,
}

/// A `server` block.
#[derive(Clone, Debug, Default)]
pub(super) struct Site {
    pub(super) ports: Vec<u16>,
    pub(super) names: Vec<String>,
    /// What holds where no location says otherwise.
    pub(super) own: Location,
    pub(super) locations: Vec<Location>,
}

/// The whole configuration.
#[derive(Clone, Debug, Default)]
pub(super) struct Config {
    pub(super) sites: Vec<Site>,
    /// Host and port of each server of each `upstream`.
    pub(super) upstreams: SmallMap<String, Vec<(String, u16)>>,
    /// Every host that must be resolved before the start, with the words about its place.
    pub(super) hosts: Vec<(String, String)>,
}

/// Reads the configuration.
///
/// # Errors
/// nginx's words, after `nginx: [emerg] `.
pub(super) fn read(files: &Files, main: &str) -> Result<Config, String> {
    let mut includes = 0;
    let directives = read_file(files, main, &mut includes)?;
    let mut config = Config::default();
    let http = directives.iter().filter(|d| d.words.first().is_some_and(|word| word == "http"));
    for directive in http.filter_map(|directive| directive.block.as_ref()).flatten() {
        match directive.words.first().map(String::as_str) {
            Some("server") => config.site(directive.block.as_deref().unwrap_or_default())?,
            Some("upstream") => config.upstream(directive),
            _ => {}
        }
    }
    // A name that is an upstream need not be resolved.
    let Config { upstreams, hosts, .. } = &mut config;
    hosts.retain(|(host, _)| !upstreams.contains_key(host));
    Ok(config)
}

fn read_file(files: &Files, path: &str, includes: &mut usize) -> Result<Vec<Directive>, String> {
    *includes += 1;
    let Some(content) = files.read(path).filter(|_| *includes <= MAX_INCLUDES) else {
        return Err(format!("open() \"{path}\" failed (2: No such file or directory)"));
    };
    let text = String::from_utf8_lossy(content).into_owned();
    let tokens = tokens(&text);
    let mut rest = tokens.as_slice();
    let directives = block(files, path, &mut rest, (includes, 0))?;
    Ok(directives)
}

/// What stands for the end of a file among its words.
const END: &str = "\0";

/// Words with the line that they stand in; `;`, `{` and `}` are words of their own.
fn tokens(text: &str) -> Vec<(String, usize)> {
    let mut tokens = Vec::new();
    let mut word: Option<String> = None;
    let (mut line, mut quote, mut comment) = (1, None, false);
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        line += usize::from(letter == '\n');
        if comment {
            comment = letter != '\n';
            continue;
        }
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (_, '\\') => word.get_or_insert_default().push_str(&escaped(letters.next())),
            (_, '{') if word.as_ref().is_some_and(|word| word.ends_with('$')) => {
                // A variable: `${name}`.
                let name: String = letters.by_ref().take_while(|letter| *letter != '}').collect();
                word.get_or_insert_default().push_str(&name);
            }
            (Some(_), letter) => word.get_or_insert_default().push(letter),
            (None, '"' | '\'') if word.is_none() => {
                quote = Some(letter);
                word = Some(String::new());
            }
            (None, '#') if word.is_none() => comment = true,
            (None, ';' | '{' | '}') => {
                tokens.extend(word.take().map(|word| (word, line)));
                tokens.push((format!("\0{letter}"), line));
            }
            (None, letter) if letter.is_ascii_whitespace() => {
                tokens.extend(word.take().map(|word| (word, line)));
            }
            (None, letter) => word.get_or_insert_default().push(letter),
        }
    }
    tokens.extend(word.map(|word| (word, line)));
    tokens.push((END.to_string(), line));
    tokens
}

fn escaped(letter: Option<char>) -> String {
    match letter {
        Some('n') => "\n".to_string(),
        Some('t') => "\t".to_string(),
        Some(letter @ ('"' | '\'' | '\\' | ' ')) => letter.to_string(),
        Some(letter) => format!("\\{letter}"),
        None => String::new(),
    }
}

fn block(
    files: &Files,
    path: &str,
    rest: &mut &[(String, usize)],
    (includes, depth): (&mut usize, usize),
) -> Result<Vec<Directive>, String> {
    let mut directives = Vec::new();
    let mut current = Directive::default();
    while let Some(((token, line), after)) = rest.split_first() {
        *rest = after;
        let place = format!("{path}:{line}");
        match token.as_str() {
            END if depth == 0 && current.words.is_empty() => break,
            END => {
                let what = if current.words.is_empty() { "\"}\"" } else { "\";\" or \"}\"" };
                return Err(format!("unexpected end of file, expecting {what} in {place}"));
            }
            "\0;" if current.words.is_empty() => {
                return Err(format!("unexpected \";\" in {place}"));
            }
            "\0;" => {
                let done = std::mem::take(&mut current);
                match (done.words.first().map(String::as_str), done.words.get(1)) {
                    (Some("include"), Some(pattern)) => {
                        directives.extend(include(files, pattern, includes)?);
                    }
                    _ => directives.push(done),
                }
            }
            "\0{" if depth < MAX_DEPTH => {
                current.block = Some(block(files, path, rest, (includes, depth + 1))?);
                directives.push(std::mem::take(&mut current));
            }
            "\0}" if depth > 0 && current.words.is_empty() => return Ok(directives),
            "\0}" | "\0{" => return Err(format!("unexpected \"{}\" in {place}", &token[1..])),
            _ => {
                current.words.push(token.clone());
                current.place = place;
            }
        }
    }
    Ok(directives)
}

fn include(files: &Files, pattern: &str, includes: &mut usize) -> Result<Vec<Directive>, String> {
    let pattern = if pattern.starts_with('/') {
        pattern.to_string()
    } else {
        format!("/etc/nginx/{pattern}")
    };
    let Some((directory, name)) = pattern.rsplit_once('/') else { return Ok(Vec::new()) };
    let Some((head, tail)) = name.split_once('*') else {
        // The types of files are known here without the file.
        if pattern == "/etc/nginx/mime.types" && files.read(&pattern).is_none() {
            return Ok(Vec::new());
        }
        return read_file(files, &pattern, includes);
    };
    let mut directives = Vec::new();
    for name in files.list(directory) {
        if name.starts_with(head) && name.ends_with(tail) {
            directives.extend(read_file(files, &format!("{directory}/{name}"), includes)?);
        }
    }
    Ok(directives)
}

impl Config {
    fn upstream(&mut self, directive: &Directive) {
        let Some(name) = directive.words.get(1) else { return };
        let mut servers = Vec::new();
        for server in directive.block.iter().flatten() {
            if let [keyword, address, ..] = server.words.as_slice()
                && keyword == "server"
            {
                let (host, port) = host_and_port(address);
                self.hosts.push((host.clone(), place_words(&host, &server.place)));
                servers.push((host, port));
            }
        }
        self.upstreams.insert(name.clone(), servers);
    }

    fn site(&mut self, block: &[Directive]) -> Result<(), String> {
        let mut site = Site::default();
        for directive in block {
            let words = directive.words.get(1..).unwrap_or_default();
            match directive.words.first().map(String::as_str) {
                Some("listen") => {
                    let word = words.first().map(String::as_str).unwrap_or_default();
                    // An IPv6 listener has the port of an IPv4 one beside it.
                    if !word.starts_with('[') {
                        let port = word.rsplit(':').next().unwrap_or_default();
                        site.ports.push(port.parse().unwrap_or(80));
                    }
                }
                Some("server_name") => site.names.extend_from_slice(words),
                Some("location") => {
                    let location = self.location(directive)?;
                    site.locations.push(location);
                }
                _ => site.own.take(directive)?,
            }
        }
        if site.ports.is_empty() {
            site.ports.push(80);
        }
        self.sites.push(site);
        Ok(())
    }

    fn location(&mut self, directive: &Directive) -> Result<Location, String> {
        let (matching, pattern) = match directive.words.get(1..).unwrap_or_default() {
            [sign, pattern] if sign == "=" => (Match::Exact, pattern.clone()),
            [sign, pattern] if sign.starts_with('~') => {
                let suffix = pattern.trim_end_matches('$').trim_start_matches("\\.");
                (Match::Suffix, format!(".{suffix}"))
            }
            [_, pattern] | [pattern] => (Match::Prefix, pattern.clone()),
            _ => {
                return Err(format!(
                    "invalid number of arguments in \"location\" directive in {}",
                    directive.place
                ));
            }
        };
        let mut location = Location { pattern, matching: Some(matching), ..Location::default() };
        for inner in directive.block.iter().flatten() {
            location.take(inner)?;
            if let [keyword, target] = inner.words.as_slice()
                && keyword == "proxy_pass"
                && !target.contains('$')
            {
                let rest = target.split("://").last().unwrap_or_default();
                let (host, _) = host_and_port(rest.split('/').next().unwrap_or_default());
                self.hosts.push((host.clone(), place_words(&host, &inner.place)));
            }
        }
        Ok(location)
    }
}

fn place_words(host: &str, place: &str) -> String {
    format!("host not found in upstream \"{host}\" in {place}")
}

/// Takes `host:port` apart.
pub(super) fn host_and_port(address: &str) -> (String, u16) {
    match address.rsplit_once(':') {
        Some((host, port)) => (host.to_string(), port.parse().unwrap_or(80)),
        None => (address.to_string(), 80),
    }
}

impl Location {
    fn take(&mut self, directive: &Directive) -> Result<(), String> {
        let words = directive.words.get(1..).unwrap_or_default();
        let first = words.first().cloned();
        match directive.words.first().map(String::as_str).unwrap_or_default() {
            "root" => self.root = first,
            "alias" => self.alias = first,
            "index" => self.index = words.to_vec(),
            "try_files" => self.try_files = words.to_vec(),
            "proxy_pass" | "fastcgi_pass" => self.proxy = first,
            "default_type" => self.default_type = first,
            "stub_status" => self.status_page = true,
            "add_header" if words.len() >= 2 => {
                self.headers.push((words[0].to_ascii_lowercase(), words[1].clone()));
            }
            "return" => {
                let first = first.unwrap_or_default();
                let text = words.get(1).cloned().unwrap_or_default();
                self.answer = Some(match first.parse() {
                    Ok(status) => (status, text),
                    Err(_) => (302, first),
                });
            }
            name if !KNOWN.split(' ').any(|known| known == name) => {
                return Err(format!("unknown directive \"{name}\" in {}", directive.place));
            }
            _ => {}
        }
        Ok(())
    }
}

/// What is accepted and changes nothing that is seen here.
const KNOWN: &str = "access_log error_log error_page keepalive_timeout client_max_body_size \
    proxy_set_header proxy_http_version proxy_read_timeout proxy_connect_timeout \
    proxy_send_timeout proxy_buffering proxy_redirect proxy_pass_header proxy_hide_header \
    proxy_buffer_size proxy_buffers proxy_next_upstream gzip gzip_types sendfile tcp_nopush \
    tcp_nodelay charset expires allow deny autoindex ssl_certificate ssl_certificate_key \
    ssl_protocols ssl_ciphers ssl_session_cache ssl_session_timeout ssl_prefer_server_ciphers \
    resolver set if rewrite limit_req limit_except satisfy auth_basic auth_basic_user_file \
    fastcgi_param fastcgi_index fastcgi_split_path_info include internal log_not_found etag \
    server_tokens large_client_header_buffers underscores_in_headers types ssl";
