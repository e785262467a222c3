//! Ported from staging/src/k8s.io/apimachinery/pkg/labels/selector_test.go.

use super::*;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelectorRequirement;
use parse::{Token, tokens};

fn set(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
    labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_read_prints_the_same_without_its_spaces() {
    for text in
        ["x=a,y=b,z=c", "", "x!=a,y=b", "x=", "x= ", "x=,z= ", "x= ,z= ", "!x", "x>1", "x>1,z<5"]
    {
        let selector = Selector::parse(text).unwrap();
        assert_eq!(selector.to_string(), text.replace(' ', ""));
    }
    for text in ["x=a||y=b", "x==a==b", "!x=a", "x<a"] {
        assert!(Selector::parse(text).is_err(), "{text}");
    }
}

#[test]
fn reading_sorts_by_key() {
    let one = Selector::parse("x=a,a=x").unwrap();
    assert_eq!(one, Selector::parse("a=x,x=a").unwrap());
    assert_eq!(one.to_string(), "a=x,x=a");
}

#[test]
fn selectors_match_what_upstream_says() {
    let labels = [("foo", "bar"), ("baz", "blah")];
    for (text, labels, want) in [
        ("", &[("x", "y")][..], true),
        ("x=y", &[("x", "y")], true),
        ("x=y,z=w", &[("x", "y"), ("z", "w")], true),
        ("x!=y,z!=w", &[("x", "z"), ("z", "a")], true),
        ("notin=in", &[("notin", "in")], true),
        ("x", &[("x", "z")], true),
        ("!x", &[("y", "z")], true),
        ("x>1", &[("x", "2")], true),
        ("x<1", &[("x", "0")], true),
        ("x=z", &[], false),
        ("x=y", &[("x", "z")], false),
        ("x=y,z=w", &[("x", "w"), ("z", "w")], false),
        ("x!=y,z!=w", &[("x", "z"), ("z", "w")], false),
        ("x", &[("y", "z")], false),
        ("!x", &[("x", "z")], false),
        ("x>1", &[("x", "0")], false),
        ("x<1", &[("x", "2")], false),
        ("foo=bar", &labels, true),
        ("baz=blah", &labels, true),
        ("foo=bar,baz=blah", &labels, true),
        ("foo=blah", &labels, false),
        ("baz=bar", &labels, false),
        ("foo=bar,foobar=bar,baz=blah", &labels, false),
        ("x in (foo),y notin (alpha)", &[("x", "foo"), ("y", "baz")], true),
        ("x in (foo),y in (alpha)", &[("x", "foo"), ("y", "baz")], false),
        ("x notin (),y", &[("y", "")], true),
        ("!x,y", &[("y", "")], true),
        ("x notin (),!y", &[("y", "")], false),
        ("x in ()", &[("y", "baz")], false),
        ("z>1", &[("z", "v2")], false),
    ] {
        assert_eq!(Selector::parse(text).unwrap().matches(&set(labels)), want, "{text}");
    }
}

#[test]
fn everything_and_nothing() {
    let labels = set(&[("x", "y")]);
    assert!(Selector::everything().matches(&labels) && Selector::everything().is_everything());
    assert!(!Selector::nothing().matches(&labels) && !Selector::nothing().is_everything());
    assert!(Selector::from_set(&set(&[])).is_everything());
    let selector = Selector::from_set(&labels);
    assert!(selector.matches(&labels) && !selector.matches(&set(&[("x", "z")])));
    assert_eq!(selector.requires_exact_match("x"), Some("y"));
    assert_eq!(selector.requires_exact_match("z"), None);
}

#[test]
fn tokens_are_the_longest_that_fit() {
    for (text, want) in [
        ("", Token::EndOfString),
        (",", Token::Comma),
        ("notin", Token::NotIn),
        ("in", Token::In),
        ("=", Token::Equals),
        ("==", Token::DoubleEquals),
        (">", Token::GreaterThan),
        ("<", Token::LessThan),
        ("!", Token::DoesNotExist),
        ("!=", Token::NotEquals),
        ("(", Token::OpenParenthesis),
        (")", Token::ClosedParenthesis),
        ("~", Token::Identifier),
        ("||", Token::Identifier),
    ] {
        assert_eq!(tokens(text)[0], (want, text));
    }
    use Token::*;
    for (text, want) in [
        ("key in ( value )", &[Identifier, In, OpenParenthesis, Identifier, ClosedParenthesis][..]),
        ("()", &[OpenParenthesis, ClosedParenthesis]),
        ("x in (),y", &[Identifier, In, OpenParenthesis, ClosedParenthesis, Comma, Identifier]),
        (
            "== != (), = notin",
            &[
                DoubleEquals,
                NotEquals,
                OpenParenthesis,
                ClosedParenthesis,
                Comma,
                Equals,
                Token::NotIn,
            ],
        ),
        ("key>2", &[Identifier, GreaterThan, Identifier]),
        ("key<1", &[Identifier, LessThan, Identifier]),
    ] {
        let found: Vec<Token> = tokens(text).into_iter().map(|(token, _)| token).collect();
        assert_eq!(found.split_last().unwrap(), (&EndOfString, want), "{text}");
    }
}

#[test]
fn a_requirement_is_refused_where_upstream_refuses_it() {
    let long = "a".repeat(254);
    for (key, operator, values, want) in [
        ("x1", Operator::In, &[][..], Some("values: ")),
        ("x2", Operator::NotIn, &[], Some("values: ")),
        ("x3", Operator::In, &["foo"], None),
        ("x4", Operator::NotIn, &["foo"], None),
        ("x5", Operator::Equals, &["foo", "bar"], Some("values: ")),
        ("x6", Operator::Exists, &[], None),
        ("x7", Operator::DoesNotExist, &[], None),
        ("x8", Operator::Exists, &["foo"], Some("values: ")),
        ("x11", Operator::GreaterThan, &["1"], None),
        ("x12", Operator::LessThan, &["6"], None),
        ("x13", Operator::GreaterThan, &[], Some("values: ")),
        ("x14", Operator::GreaterThan, &["bar"], Some("values[0]: ")),
        ("x15", Operator::LessThan, &["bar"], Some("values[0]: ")),
        (&long, Operator::Exists, &[], Some("key: ")),
        ("x16", Operator::Equals, &[&long], Some("values[0][x16]: ")),
        ("x17", Operator::Equals, &["a b"], Some("values[0][x17]: ")),
    ] {
        let found = Requirement::new(key, operator, texts(values)).err();
        match (found, want) {
            (None, None) => {}
            (Some(error), Some(want)) => assert!(error.0.starts_with(want), "{key}: {error}"),
            (found, want) => panic!("{key}: {found:?} instead of {want:?}"),
        }
    }
}

#[test]
fn requirements_print_with_sorted_values() {
    for (text, want) in [
        ("x in (def,abc),y notin (jkl),z", "x in (abc,def),y notin (jkl),z"),
        ("x notin (abc,def),y!=jkl,!z", "x notin (abc,def),y!=jkl,!z"),
        ("z notin (),x notin (abc),y in (jkl,mno)", "x notin (abc),y in (jkl,mno),z notin ()"),
        ("x=abc,y==jkl,z!=a,z", "x=abc,y==jkl,z!=a,z"),
        ("x>2,y<8,z", "x>2,y<8,z"),
        ("\rx", "x"),
        ("this-is-a-dns.domain.com/key-with-dash", "this-is-a-dns.domain.com/key-with-dash"),
        (
            "0.1.2.domain/99 notin (10.10.100.1, tick.tack.clock)",
            "0.1.2.domain/99 notin (10.10.100.1,tick.tack.clock)",
        ),
        ("x  notin\t\t(abc,def)", "x notin (abc,def)"),
        ("x in (abc,)", "x in (,abc)"),
        ("x in (abc,abc)", "x in (abc)"),
        ("x in (a,,a,,a,,a,,)", "x in (,a)"),
        ("x notin (abc,,def),bar,z in (),w", "bar,w,x notin (,abc,def),z in ()"),
        ("x notin (, a)", "x notin (,a)"),
        ("a in (x,y,notin, z,in)", "a in (in,notin,x,y,z)"),
    ] {
        assert_eq!(Selector::parse(text).unwrap().to_string(), want, "{text}");
    }
}

#[test]
fn errors_are_in_upstreams_words() {
    for (text, want) in [
        ("x,,y", "found ',', expected: identifier after ','"),
        (",x,y", "found ',', expected: !, identifier, or 'end of string'"),
        (
            "x nott in (y)",
            "unable to parse requirement: found 'nott', expected: in, notin, =, ==, !=, gt, lt",
        ),
        ("a in (xyz),", "found '', expected: identifier after ','"),
        ("a in (xyz)b notin ()", "found 'b', expected: ',' or 'end of string'"),
        ("a in (xyz abc)", "unable to parse requirement: found 'abc', expected: ',' or ')'"),
        ("a notin(", "unable to parse requirement: found '', expected: ',', ')' or identifier"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        ("a (", "unable to parse requirement: found '(', expected: in, notin, =, ==, !=, gt, lt"),
        ("(", "found '(', expected: !, identifier, or 'end of string'"),
        (
            "-a=b",
            "unable to parse requirement: <nil>: Invalid value: \"-a\": name part must consist of \
             alphanumeric characters, '-', '_' or '.', and must start and end with an \
             alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for \
             validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        ),
        (
            "a=b_",
            "unable to parse requirement: values[0][a]: Invalid value: \"b_\": a valid label must \
             be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must \
             start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or \
             '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
        ),
    ] {
        assert_eq!(Selector::parse(text).unwrap_err().0, want, "{text}");
    }
}

#[test]
fn label_selectors_become_selectors() {
    // Upstream: staging/src/k8s.io/apimachinery/pkg/apis/meta/v1/helpers_test.go
    let expression = |operator: &str, values: Option<&[&str]>| LabelSelectorRequirement {
        key: "baz".to_string(),
        operator: operator.to_string(),
        values: values.map(texts),
    };
    let selector = |expression: LabelSelectorRequirement| LabelSelector {
        match_labels: Some(set(&[("foo", "bar")])),
        match_expressions: Some(vec![expression]),
    };
    let read = |selector: &LabelSelector| Selector::from_label_selector(Some(selector));
    assert_eq!(Selector::from_label_selector(None), Ok(Selector::nothing()));
    assert_eq!(read(&LabelSelector::default()), Ok(Selector::everything()));
    for (expression, want) in [
        (expression("In", Some(&["qux", "norf"])), "baz in (norf,qux),foo=bar"),
        (expression("NotIn", Some(&["qux"])), "baz notin (qux),foo=bar"),
        (expression("Exists", None), "baz,foo=bar"),
        (expression("DoesNotExist", Some(&[])), "!baz,foo=bar"),
    ] {
        assert_eq!(read(&selector(expression)).unwrap().to_string(), want);
    }
    for (expression, want) in [
        (
            expression("Exists", Some(&["qux"])),
            "values: Invalid value: [\"qux\"]: values set must be empty for exists and does not \
             exist",
        ),
        (
            expression("In", None),
            "values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty",
        ),
        (expression("foo", None), "\"foo\" is not a valid label selector operator"),
    ] {
        assert_eq!(read(&selector(expression)).unwrap_err().0, want);
    }
}

#[test]
fn any_text_is_read_or_refused() {
    let mut stream = sim::Stream::new(7, "labels");
    let alphabet: Vec<char> = "a=!(),<> \tinot\u{e9}\0/.".chars().collect();
    for _ in 0..20_000 {
        let length = stream.below(20);
        let text: String = (0..length)
            .map(|_| alphabet[usize::try_from(stream.below(alphabet.len() as u64)).unwrap()])
            .collect();
        if let Ok(selector) = Selector::parse(&text) {
            assert_eq!(Selector::parse(&selector.to_string()), Ok(selector), "{text:?}");
        }
    }
}
