//! The `parameters` column: `key=value` pairs and what each type allows.

use indexmap::IndexMap;

use crate::question_type::QuestionType;
use crate::questionnaire::ChoiceList;
use crate::questionnaire::references::{is_xml_name, single_reference};

/// Something wrong with parameters, in Vietnamese and English, with a better key if one is near.
pub type Wrong = (String, String, Option<&'static str>);

/// Reads pairs parted by space, comma or semicolon. Keys and values become lower case, but for the
/// values of `value` and `label`, which name columns.
///
/// Errors: something that is no pair.
pub fn parse(text: &str) -> Result<IndexMap<String, String>, Wrong> {
    let wrong = || {
        (
            format!("`{text}` không có dạng `khóa=giá trị`, các cặp cách nhau bằng dấu cách"),
            format!("`{text}` is not of the form `key=value`, pairs parted by spaces"),
            None,
        )
    };
    let spaced = text.replace('=', " = ");
    let tokens: Vec<&str> = spaced
        .split(|c: char| c.is_whitespace() || c == ',' || c == ';')
        .filter(|token| !token.is_empty())
        .collect();
    let mut pairs = IndexMap::new();
    for pair in tokens.chunks(3) {
        match pair {
            [key, "=", value] if *key != "=" && *value != "=" => {
                let key = key.to_lowercase();
                let keep = matches!(key.as_str(), "label" | "value");
                let value = if keep { (*value).to_owned() } else { value.to_lowercase() };
                pairs.insert(key, value);
            }
            _ => return Err(wrong()),
        }
    }
    Ok(pairs)
}

/// The keys a type knows; `None` where pyxform looks at none.
fn accepted(kind: QuestionType, from_file: bool) -> Option<&'static [&'static str]> {
    Some(match kind {
        QuestionType::Text => &["rows"],
        QuestionType::Image => &["app", "max-pixels"],
        QuestionType::Audio | QuestionType::BackgroundAudio => &["quality"],
        QuestionType::Geopoint => {
            &["allow-mock-accuracy", "capture-accuracy", "reference-geometry", "warning-accuracy"]
        }
        QuestionType::Geotrace | QuestionType::Geoshape => {
            &["allow-mock-accuracy", "incremental", "reference-geometry"]
        }
        QuestionType::Range => &["end", "placeholder", "start", "step", "tick_interval", "tick_labelset"],
        kind if kind.is_select() && from_file => &["label", "randomize", "seed", "value"],
        kind if kind.is_select() => &["randomize", "seed"],
        QuestionType::Audit => &[
            "identify-user",
            "location-max-age",
            "location-min-interval",
            "location-priority",
            "track-changes",
            "track-changes-reasons",
        ],
        _ => return None,
    })
}

/// Everything wrong with the parameters of a question.
pub fn check(
    kind: QuestionType,
    from_file: bool,
    parameters: &IndexMap<String, String>,
    appearance: &str,
    lists: &IndexMap<String, ChoiceList>,
) -> Vec<Wrong> {
    let mut wrong: Vec<Wrong> = Vec::new();
    let Some(accepted) = accepted(kind, from_file) else { return wrong };
    for key in parameters.keys().filter(|key| !accepted.contains(&key.as_str())) {
        let known = accepted.join(", ");
        wrong.push((
            format!("không có tham số `{key}` cho kiểu này (có: {known})"),
            format!("`{key}` is no parameter of this type (it takes {known})"),
            crate::questionnaire::Questionnaire::nearest(accepted.iter().copied(), key),
        ));
    }
    let get = |key: &str| parameters.get(key).map(String::as_str);
    let mut value = |key: &str, is_right: &dyn Fn(&str) -> bool, vietnamese: &str, english: &str| {
        if let Some(value) = get(key).filter(|value| !is_right(value)) {
            wrong.push((
                format!("`{key}={value}`: giá trị phải là {vietnamese}"),
                format!("`{key}={value}`: the value must be {english}"),
                None,
            ));
        }
    };
    let whole = |value: &str| value.parse::<i64>().is_ok();
    let number = |value: &str| value.parse::<f64>().is_ok();
    let truth = |value: &str| matches!(value, "true" | "false");
    let package = |value: &str| {
        let valid = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_alphabetic())
                && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        value.contains('.') && value.split('.').all(valid)
    };
    if matches!(appearance, "" | "annotate") {
        value(
            "app",
            &package,
            "tên gói Android, như `com.example.camera`",
            "an Android package, as `com.example.camera`",
        );
    }
    value("rows", &whole, "số nguyên", "a whole number");
    value("max-pixels", &whole, "số nguyên", "a whole number");
    value("capture-accuracy", &number, "số", "a number");
    value("warning-accuracy", &number, "số", "a number");
    for key in ["allow-mock-accuracy", "track-changes", "identify-user", "randomize"] {
        value(key, &truth, "`true` hoặc `false`", "`true` or `false`");
    }
    value("incremental", &|value| matches!(value, "true" | "yes" | "true()"), "`true`", "`true`");
    value("track-changes-reasons", &|value| value == "on-form-edit", "`on-form-edit`", "`on-form-edit`");
    let qualities: &[&str] = match kind {
        QuestionType::Audio => &["voice-only", "low", "normal", "external"],
        _ => &["voice-only", "low", "normal"],
    };
    let list = qualities.join(", ");
    value(
        "quality",
        &|value| qualities.contains(&value),
        &format!("một trong: {list}"),
        &format!("one of {list}"),
    );
    value("value", &is_xml_name, "tên cột của tệp", "the name of a column of the file");
    value("label", &is_xml_name, "tên cột của tệp", "the name of a column of the file");
    value(
        "seed",
        &|value| number(value) || single_reference(value).is_some(),
        "số hoặc `${tên}`",
        "a number or one `${name}`",
    );
    if get("seed").is_some() && get("randomize").is_none() {
        wrong.push((
            "`seed` chỉ dùng cùng với `randomize=true`".to_owned(),
            "`seed` needs `randomize=true` beside it".to_owned(),
            None,
        ));
    }
    match kind {
        QuestionType::Audit => audit(parameters, &mut wrong),
        QuestionType::Range => range(parameters, appearance, lists, &mut wrong),
        _ => {}
    }
    wrong
}

fn audit(parameters: &IndexMap<String, String>, wrong: &mut Vec<Wrong>) {
    let [priority, interval, age] =
        ["location-priority", "location-min-interval", "location-max-age"].map(|key| parameters.get(key));
    let mut say =
        |vietnamese: &str, english: &str| wrong.push((vietnamese.to_owned(), english.to_owned(), None));
    let (Some(priority), Some(interval), Some(age)) = (priority, interval, age) else {
        if priority.or(interval).or(age).is_some() {
            say(
                "ghi vị trí cần đủ location-priority, location-min-interval và location-max-age",
                "recording the place needs location-priority, location-min-interval and location-max-age together",
            );
        }
        return;
    };
    if !matches!(priority.as_str(), "no-power" | "low-power" | "balanced" | "high-accuracy") {
        say(
            "location-priority phải là no-power, low-power, balanced hoặc high-accuracy",
            "location-priority must be no-power, low-power, balanced or high-accuracy",
        );
    }
    match (interval.parse::<u64>(), age.parse::<u64>()) {
        (Ok(interval), Ok(age)) if age < interval => say(
            "location-max-age phải bằng hoặc lớn hơn location-min-interval",
            "location-max-age must not be below location-min-interval",
        ),
        (Ok(_), Ok(_)) => {}
        _ => say(
            "location-min-interval và location-max-age phải là số nguyên từ 0 trở lên",
            "location-min-interval and location-max-age must be whole numbers from 0 on",
        ),
    }
}

/// Start, end and step of a range, with the defaults of XLSForm; `None` where one is no number.
pub fn range_bounds(parameters: &IndexMap<String, String>) -> Option<[f64; 3]> {
    let get = |key: &str, default: f64| match parameters.get(key) {
        Some(value) => value.parse::<f64>().ok().filter(|value| value.is_finite()),
        None => Some(default),
    };
    Some([get("start", 1.0)?, get("end", 10.0)?, get("step", 1.0)?])
}

fn range(
    parameters: &IndexMap<String, String>,
    appearance: &str,
    lists: &IndexMap<String, ChoiceList>,
    wrong: &mut Vec<Wrong>,
) {
    let mut say =
        |vietnamese: &str, english: &str| wrong.push((vietnamese.to_owned(), english.to_owned(), None));
    let Some([start, end, step]) = range_bounds(parameters) else {
        return say("start, end và step phải là số", "start, end and step must be numbers");
    };
    let width = (end - start).abs();
    let (low, high) = (start.min(end), start.max(end));
    let multiple = |value: f64, of: f64| ((value / of) - (value / of).round()).abs() < 1e-9;
    if step == 0.0 || step > width {
        say(
            "step phải khác 0 và không lớn hơn khoảng từ start đến end",
            "step must not be 0 nor wider than the range",
        );
        return;
    }
    let ticks = ["tick_interval", "placeholder", "tick_labelset"];
    if !appearance.is_empty()
        && !appearance.contains("vertical")
        && !appearance.contains("no-ticks")
        && ticks.iter().any(|key| parameters.contains_key(*key))
    {
        say(
            "tick_interval, placeholder, tick_labelset chỉ dùng với appearance trống, vertical hoặc no-ticks",
            "tick_interval, placeholder and tick_labelset go only with no appearance, vertical or no-ticks",
        );
    }
    let tick = parameters.get("tick_interval").map(|value| value.parse::<f64>().unwrap_or(f64::NAN));
    if tick.is_some_and(|tick| tick.is_nan() || tick == 0.0 || tick > width || !multiple(tick, step)) {
        say(
            "tick_interval phải là bội của step và không lớn hơn khoảng",
            "tick_interval must be a multiple of step within the range",
        );
    }
    let placeholder = parameters.get("placeholder").map(|value| value.parse::<f64>().unwrap_or(f64::NAN));
    if placeholder.is_some_and(|at| at.is_nan() || at < low || at > high || !multiple(at - start, step)) {
        say("placeholder phải là một bước trong khoảng", "placeholder must be a step within the range");
    }
    let Some(labels) = parameters.get("tick_labelset") else { return };
    let Some(labels) = lists.get(labels) else {
        return say(
            "tick_labelset không có trong trang choices",
            "tick_labelset is not a list of the choices sheet",
        );
    };
    let every = tick.unwrap_or(step);
    let values: Vec<f64> =
        labels.choices.iter().map(|choice| choice.name.parse().unwrap_or(f64::NAN)).collect();
    if values.iter().any(|&at| at.is_nan() || at < low || at > high || !multiple(at - start, every)) {
        say(
            "mã trong tick_labelset phải là các bước trong khoảng",
            "the codes of tick_labelset must be steps within the range",
        );
    } else if appearance.contains("no-ticks")
        && (values.iter().any(|&at| at != start && at != end)
            || !values.contains(&start)
            || !values.contains(&end))
    {
        say(
            "với no-ticks, tick_labelset chỉ gồm hai đầu của khoảng",
            "with no-ticks, tick_labelset holds the two ends only",
        );
    }
}
