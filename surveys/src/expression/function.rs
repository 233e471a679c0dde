//! The one table of functions: name, number of arguments, and who knows it.

/// A function of the form language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Function {
    Concat,
    Join,
    Substr,
    Substring,
    SubstringBefore,
    SubstringAfter,
    Translate,
    StringLength,
    NormalizeSpace,
    Contains,
    StartsWith,
    EndsWith,
    Uuid,
    Digest,
    PullData,
    Base64Decode,
    Text,
    If,
    Coalesce,
    Once,
    True,
    False,
    Boolean,
    BooleanFromString,
    Not,
    Regex,
    Checklist,
    WeightedChecklist,
    Number,
    Random,
    Int,
    Sum,
    Max,
    Min,
    Round,
    Pow,
    Log,
    Log10,
    Abs,
    Sin,
    Cos,
    Tan,
    Asin,
    Acos,
    Atan,
    Atan2,
    Sqrt,
    Exp,
    Exp10,
    Pi,
    Floor,
    Ceiling,
    Count,
    CountNonEmpty,
    Position,
    Last,
    Name,
    LocalName,
    Instance,
    Current,
    Randomize,
    Today,
    Now,
    Date,
    DateTime,
    FormatDate,
    FormatDateTime,
    DecimalDateTime,
    DecimalTime,
    Selected,
    SelectedAt,
    CountSelected,
    ChoiceName,
    Itext,
    IndexedRepeat,
    Area,
    Distance,
    Geofence,
    Intersects,
    Version,
    Property,
}

/// Which engines know a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Both,
    /// JavaRosa refuses it.
    WebForms,
    /// The tablet's engine throws.
    JavaRosa,
}

const ANY: usize = usize::MAX;

#[rustfmt::skip]
const TABLE: &[(&str, Function, usize, usize, Known)] = &[
    ("concat",              Function::Concat,            0, ANY, Known::Both),
    ("join",                Function::Join,              1, ANY, Known::Both),
    ("substr",              Function::Substr,            2, 3,   Known::Both),
    ("substring",           Function::Substring,         2, 3,   Known::WebForms),
    ("substring-before",    Function::SubstringBefore,   2, 2,   Known::Both),
    ("substring-after",     Function::SubstringAfter,    2, 2,   Known::Both),
    ("translate",           Function::Translate,         3, 3,   Known::Both),
    ("string-length",       Function::StringLength,      0, 1,   Known::Both),
    ("normalize-space",     Function::NormalizeSpace,    0, 1,   Known::Both),
    ("contains",            Function::Contains,          2, 2,   Known::Both),
    ("starts-with",         Function::StartsWith,        2, 2,   Known::Both),
    ("ends-with",           Function::EndsWith,          2, 2,   Known::Both),
    ("uuid",                Function::Uuid,              0, 1,   Known::Both),
    ("digest",              Function::Digest,            2, 3,   Known::Both),
    ("pulldata",            Function::PullData,          4, 4,   Known::Both),
    ("base64-decode",       Function::Base64Decode,      1, 1,   Known::Both),
    ("string",              Function::Text,              0, 1,   Known::Both),
    ("if",                  Function::If,                3, 3,   Known::Both),
    ("coalesce",            Function::Coalesce,          2, 2,   Known::Both),
    ("once",                Function::Once,              1, 1,   Known::Both),
    ("true",                Function::True,              0, 0,   Known::Both),
    ("false",               Function::False,             0, 0,   Known::Both),
    ("boolean",             Function::Boolean,           1, 1,   Known::Both),
    ("boolean-from-string", Function::BooleanFromString, 1, 1,   Known::Both),
    ("not",                 Function::Not,               1, 1,   Known::Both),
    ("regex",               Function::Regex,             2, 2,   Known::Both),
    ("checklist",           Function::Checklist,         2, ANY, Known::Both),
    ("weighted-checklist",  Function::WeightedChecklist, 2, ANY, Known::Both),
    ("number",              Function::Number,            0, 1,   Known::Both),
    ("random",              Function::Random,            0, 0,   Known::Both),
    ("int",                 Function::Int,               1, 1,   Known::Both),
    ("sum",                 Function::Sum,               1, 1,   Known::Both),
    ("max",                 Function::Max,               0, ANY, Known::Both),
    ("min",                 Function::Min,               0, ANY, Known::Both),
    ("round",               Function::Round,             1, 2,   Known::Both),
    ("pow",                 Function::Pow,               2, 2,   Known::Both),
    ("log",                 Function::Log,               1, 1,   Known::Both),
    ("log10",               Function::Log10,             1, 1,   Known::Both),
    ("abs",                 Function::Abs,               1, 1,   Known::Both),
    ("sin",                 Function::Sin,               1, 1,   Known::Both),
    ("cos",                 Function::Cos,               1, 1,   Known::Both),
    ("tan",                 Function::Tan,               1, 1,   Known::Both),
    ("asin",                Function::Asin,              1, 1,   Known::Both),
    ("acos",                Function::Acos,              1, 1,   Known::Both),
    ("atan",                Function::Atan,              1, 1,   Known::Both),
    ("atan2",               Function::Atan2,             2, 2,   Known::Both),
    ("sqrt",                Function::Sqrt,              1, 1,   Known::Both),
    ("exp",                 Function::Exp,               1, 1,   Known::Both),
    ("exp10",               Function::Exp10,             1, 1,   Known::Both),
    ("pi",                  Function::Pi,                0, 0,   Known::Both),
    ("floor",               Function::Floor,             1, 1,   Known::WebForms),
    ("ceiling",             Function::Ceiling,           1, 1,   Known::WebForms),
    ("count",               Function::Count,             1, 1,   Known::Both),
    ("count-non-empty",     Function::CountNonEmpty,     1, 1,   Known::Both),
    ("position",            Function::Position,          0, 1,   Known::Both),
    ("last",                Function::Last,              0, 0,   Known::WebForms),
    ("name",                Function::Name,              0, 1,   Known::WebForms),
    ("local-name",          Function::LocalName,         0, 1,   Known::WebForms),
    ("instance",            Function::Instance,          1, 1,   Known::Both),
    ("current",             Function::Current,           0, 0,   Known::Both),
    ("randomize",           Function::Randomize,         1, 2,   Known::Both),
    ("today",               Function::Today,             0, 0,   Known::Both),
    ("now",                 Function::Now,               0, 0,   Known::Both),
    ("date",                Function::Date,              1, 1,   Known::Both),
    ("date-time",           Function::DateTime,          1, 1,   Known::Both),
    ("format-date",         Function::FormatDate,        2, 2,   Known::Both),
    ("format-date-time",    Function::FormatDateTime,    2, 2,   Known::Both),
    ("decimal-date-time",   Function::DecimalDateTime,   1, 1,   Known::Both),
    ("decimal-time",        Function::DecimalTime,       1, 1,   Known::Both),
    ("selected",            Function::Selected,          2, 2,   Known::Both),
    ("selected-at",         Function::SelectedAt,        2, 2,   Known::Both),
    ("count-selected",      Function::CountSelected,     1, 1,   Known::Both),
    ("jr:choice-name",      Function::ChoiceName,        2, 2,   Known::Both),
    ("jr:itext",            Function::Itext,             1, 1,   Known::Both),
    ("indexed-repeat",      Function::IndexedRepeat,     3, ANY, Known::Both),
    ("area",                Function::Area,              1, 1,   Known::Both),
    ("distance",            Function::Distance,          1, ANY, Known::Both),
    ("geofence",            Function::Geofence,          2, 2,   Known::Both),
    ("intersects",          Function::Intersects,        1, 1,   Known::JavaRosa),
    ("version",             Function::Version,           0, 0,   Known::JavaRosa),
    ("property",            Function::Property,          1, 1,   Known::JavaRosa),
];

impl Function {
    /// The function of that name.
    pub fn named(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.0 == name).map(|row| row.1)
    }

    /// Its name in an expression.
    pub fn name(self) -> &'static str {
        TABLE.iter().find(|row| row.1 == self).map_or("", |row| row.0)
    }

    /// All names, for suggestions.
    pub fn names() -> impl Iterator<Item = &'static str> {
        TABLE.iter().map(|row| row.0)
    }

    /// Fewest and most arguments.
    pub fn arity(self) -> (usize, usize) {
        TABLE.iter().find(|row| row.1 == self).map_or((0, ANY), |row| (row.2, row.3))
    }

    /// JavaRosa (ODK Collect) evaluates it.
    pub fn known_to_javarosa(self) -> bool {
        TABLE.iter().any(|row| row.1 == self && row.4 != Known::WebForms)
    }

    /// The tablet's engine evaluates it.
    pub fn known_to_web_forms(self) -> bool {
        TABLE.iter().any(|row| row.1 == self && row.4 != Known::JavaRosa)
    }
}
