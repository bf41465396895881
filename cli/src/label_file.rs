//! Class names as files have them: a line for each, with or without numbers and WordNet's ids, as Python
//! prints a dictionary, or in JSON.

use serde_json::{Map, Value};

/// The names in a file's text, in the order of the classes.
pub fn parse(text: &str) -> Result<Vec<String>, String> {
    // Editors may leave a byte order mark before them and empty lines after them.
    let text = text.trim_start_matches('\u{feff}').trim_end();
    let names: Vec<String> = match serde_json::from_str(text) {
        Ok(Value::Array(names)) => names.iter().map(name).collect::<Result<_, _>>()?,
        Ok(Value::Object(classes)) => of_object(&classes)?,
        Err(error) if text.starts_with('[') && text.ends_with(']') => {
            return Err(format!("not a list in JSON: {error}"));
        }
        _ => of_lines(text)?,
    };
    if names.is_empty() {
        return Err("no names".to_owned());
    }
    match names.iter().position(|name| name.is_empty()) {
        Some(class) => Err(format!("the name of class {class} is empty")),
        None => Ok(without_ids(names)),
    }
}

/// What JSON has for a class: its name, or WordNet's id and the name.
fn name(value: &Value) -> Result<String, String> {
    let name = match value {
        Value::Array(both) if both.len() == 2 => both[1].as_str().filter(|_| both[0].is_string()),
        value => value.as_str(),
    };
    let name = name.map(|name| name.trim().to_owned());
    name.ok_or_else(|| format!("found {value}, expected a class's name"))
}

/// Names by their classes' numbers, or the other way round.
fn of_object(classes: &Map<String, Value>) -> Result<Vec<String>, String> {
    let of_name = |(name, class): (&String, &Value)| Some((class.as_u64()?, name.clone()));
    let numbered = match classes.iter().map(of_name).collect::<Option<Vec<_>>>() {
        Some(numbered) => numbered,
        None => {
            let of_number = |(key, value): (&String, &Value)| {
                let class = key.parse();
                let class =
                    class.map_err(|_| format!("found {key:?}, expected a class's number"))?;
                Ok((class, name(value)?))
            };
            classes.iter().map(of_number).collect::<Result<_, String>>()?
        }
    };
    in_order(numbered)
}

/// Names in the order of their numbers, which must be those from 0 on.
fn in_order(mut numbered: Vec<(u64, String)>) -> Result<Vec<String>, String> {
    numbered.sort();
    match (0..).zip(&numbered).find(|(expected, (class, _))| expected != class) {
        None => Ok(numbered.into_iter().map(|(_, name)| name).collect()),
        Some((expected, (class, _))) if *class < expected => {
            Err(format!("class {class} has two names"))
        }
        Some((expected, _)) => Err(format!("class {expected} has no name")),
    }
}

fn of_lines(text: &str) -> Result<Vec<String>, String> {
    // Python's dictionary.
    let inside = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    let lines: Vec<&str> = inside.map_or(text, str::trim).lines().map(str::trim).collect();
    if let Some(blank) = lines.iter().position(|line| line.is_empty()) {
        return Err(format!("line {} is blank, expected a name", blank + 1));
    }
    // Only if all lines have a number, and together those from 0 on, are these not parts of names.
    let numbered = lines.iter().map(|line| numbered(line)).collect::<Option<Vec<_>>>();
    let in_order = numbered.and_then(|numbered| in_order(numbered).ok());
    Ok(in_order.unwrap_or_else(|| lines.into_iter().map(str::to_owned).collect()))
}

/// The parts of `0: 'tench',`, `0,tench` or `0 tench`.
fn numbered(line: &str) -> Option<(u64, String)> {
    let digits = line.find(|c: char| !c.is_ascii_digit())?;
    let (number, rest) = line.split_at(digits);
    let name = rest.trim_start().trim_start_matches([':', ',', '\t']);
    let name = match name.len() < rest.len() {
        true => name.trim().trim_end_matches(','),
        false => return None,
    };
    let quoted = ['\'', '"'].into_iter().find_map(|quote| {
        Some(
            name.strip_prefix(quote)?
                .strip_suffix(quote)?
                .replace(&format!("\\{quote}"), &quote.to_string()),
        )
    });
    Some((number.parse().ok()?, quoted.unwrap_or_else(|| name.to_owned())))
}

/// Without WordNet's ids before the names, if all have one.
fn without_ids(names: Vec<String>) -> Vec<String> {
    let without = |name: &String| {
        let (id, name) = name.split_once([' ', '\t', ','])?;
        let is_id =
            id.len() == 9 && id.starts_with('n') && id[1..].bytes().all(|b| b.is_ascii_digit());
        is_id.then(|| name.trim().to_owned()).filter(|name| !name.is_empty())
    };
    names.iter().map(without).collect::<Option<_>>().unwrap_or(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_in_many_forms() {
        let forms = [
            "\u{feff}tench\r\n jack-o'-lantern \ncat, tabby\n\n",
            r#"["tench", "jack-o'-lantern", "cat, tabby"]"#,
            r#"{"0": "tench", "2": "cat, tabby", "1": "jack-o'-lantern"}"#,
            r#"{"0": ["n01440764", "tench"], "1": ["n1", "jack-o'-lantern"], "2": ["n2", "cat, tabby"]}"#,
            r#"{"cat, tabby": 2, "tench": 0, "jack-o'-lantern": 1}"#,
            "{0: 'tench',\n 1: \"jack-o'-lantern\",\n 2: 'cat, tabby'}",
            "{\n0: 'tench',\n1: 'jack-o\\'-lantern',\n2: 'cat, tabby',\n}\n",
            "0: 'tench',\n1: \"jack-o'-lantern\",\n2: 'cat, tabby',",
            "2 cat, tabby\n0 tench\n1\tjack-o'-lantern",
            "0,tench\n1,jack-o'-lantern\n2,cat, tabby",
            "n01440764 tench\nn03590841 jack-o'-lantern\nn02123045\tcat, tabby",
            "0 n01440764 tench\n1 n03590841 jack-o'-lantern\n2 n02123045 cat, tabby",
        ];
        for form in forms {
            let expected = ["tench", "jack-o'-lantern", "cat, tabby"].map(str::to_owned);
            assert_eq!(parse(form), Ok(expected.to_vec()), "{form}");
        }
    }

    #[test]
    fn numbers_and_ids_may_be_names() {
        for lines in [
            &["1", "0"][..],
            &["2 euro", "1 euro"],
            &["0 a", "b"],
            &["n01440764", "n01443537"],
            &["n01440764 tench", "goldfish"],
            &["5:", "{0: 'tench',"],
            &["0th", "1st"],
        ] {
            let expected = lines.iter().map(|&line| line.to_owned()).collect();
            assert_eq!(parse(&lines.join("\n")), Ok(expected));
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        for (text, expected) in [
            ("", "no names"),
            ("\n\n", "no names"),
            ("[]", "no names"),
            ("a\n\nb\n", "line 2 is blank, expected a name"),
            ("\na", "line 1 is blank, expected a name"),
            ("0: a\n1:\n", "the name of class 1 is empty"),
            (r#"["a", " "]"#, "the name of class 1 is empty"),
            (r#"["a", 1]"#, "found 1, expected a class's name"),
            (r#"{"0": "a", "2": "b"}"#, "class 1 has no name"),
            (r#"{"a": 0, "b": 0}"#, "class 0 has two names"),
            (r#"{"a": "b"}"#, "found \"a\", expected a class's number"),
        ] {
            assert_eq!(parse(text), Err(expected.to_owned()), "{text}");
        }
        let error = parse("[\"a\",\n]").unwrap_err();
        assert!(error.starts_with("not a list in JSON: "), "{error}");
    }
}
