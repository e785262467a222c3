//! The configuration: what is taken, what is refused in which words, and which location takes
//! which path. Upstream: ngx_conf_file.c; ngx_http_core_module, location.

use runtime::Files;

use super::config::{self, Config};
use super::location;

fn read(site: &str) -> Result<Config, String> {
    let mut files = Files::new();
    files.write(config::MAIN, config::DEFAULT_MAIN.as_bytes());
    files.write("/etc/nginx/conf.d/site.conf", site.as_bytes());
    config::read(&files, config::MAIN)
}

#[test]
fn what_is_wrong_is_said_in_nginxs_words() {
    for (site, want) in [
        (
            "server {\n  nosuch on;\n}\n",
            "unknown directive \"nosuch\" in /etc/nginx/conf.d/site.conf:2",
        ),
        ("server {\n  listen 80\n}\n", "unexpected \"}\" in /etc/nginx/conf.d/site.conf:3"),
        (
            "server {\n  listen 80;\n",
            "unexpected end of file, expecting \"}\" in /etc/nginx/conf.d/site.conf:3",
        ),
        ("}\n", "unexpected \"}\" in /etc/nginx/conf.d/site.conf:1"),
        ("server {;}\n", "unexpected \";\" in /etc/nginx/conf.d/site.conf:1"),
    ] {
        assert_eq!(read(site).map(|_| ()), Err(want.to_string()), "{site}");
    }
    let missing = config::read(&Files::new(), config::MAIN).map(|_| ());
    let want = "open() \"/etc/nginx/nginx.conf\" failed (2: No such file or directory)";
    assert_eq!(missing, Err(want.to_string()));
}

#[test]
fn hosts_that_must_be_resolved_are_found_with_their_places() {
    let config = read(
        "upstream back { server one:8080; server two weight=2; }\nserver {\n  listen 8080;\n  \
         listen [::]:8080;\n  location / { proxy_pass http://back; }\n  location /x { proxy_pass \
         http://three:81/y; }\n  location /z { proxy_pass http://$host; }\n}\n",
    )
    .expect("a configuration");
    let hosts: Vec<&str> = config.hosts.iter().map(|(host, _)| host.as_str()).collect();
    assert_eq!(hosts, ["one", "two", "three"]);
    assert_eq!(
        config.hosts[2].1,
        "host not found in upstream \"three\" in /etc/nginx/conf.d/site.conf:6"
    );
    let targets = [("one".to_string(), 8080), ("two".to_string(), 80)];
    assert_eq!(config.upstreams["back"], targets);
    assert_eq!(config.sites[0].ports, [8080]);
}

#[test]
fn the_longest_prefix_takes_a_path_unless_another_kind_does() {
    let config = read(
        "server {\n location / { return 200 a; }\n location /images/ { return 200 b; }\n location \
         = /exact { return 200 c; }\n location ~ \\.php$ { return 200 d; }\n location \
         /images/icons/ { return 200 e; }\n}\n",
    )
    .expect("a configuration");
    for (path, want) in [
        ("/", "a"),
        ("/other", "a"),
        ("/images/x.png", "b"),
        ("/images/icons/x.png", "e"),
        ("/exact", "c"),
        ("/exact/more", "a"),
        ("/images/x.php", "d"),
    ] {
        let found = location(&config.sites[0], path).and_then(|found| found.answer.clone());
        assert_eq!(found, Some((200, want.to_string())), "{path}");
    }
}

#[test]
fn quotes_comments_and_escapes_are_understood() {
    let config = read(
        "server { # a comment; with { signs }\n return 200 'it is \\'so\\'\\n';\n add_header \
         X-Served-By \"${hostname} here\";\n}\n",
    )
    .expect("a configuration");
    assert_eq!(config.sites[0].own.answer, Some((200, "it is 'so'\n".to_string())));
    let headers = [("x-served-by".to_string(), "$hostname here".to_string())];
    assert_eq!(config.sites[0].own.headers, headers);
}
