//! The printed sheets: HTML that a browser prints on A4 or keeps as PDF.

use std::collections::HashSet;

use crate::answer::escape;
use crate::chance::Chance;
use crate::expression::{Dialect, Moment, NodeId, Reference};
use crate::form::{Compiled, Interview, Setup};
use crate::question_type::{QuestionType, Stored};
use crate::questionnaire::{ChoiceSource, Node, Outline, Questionnaire, Text, UNTRANSLATED};

use super::Sheet;
use super::condition::Condition;

/// Lines of a table for a repeat.
const ROSTER_LINES: usize = 8;
/// Households for which the drawn person is printed.
const MOST_PERSONS: usize = 10;
/// Characters of a label before which its number may end: `G5a.`
const NUMBER: usize = 10;

/// How the sheets look.
pub struct Options<'a> {
    /// Tags of languages, the first one large; the form's default where there is none.
    pub languages: Vec<String>,
    /// When they are printed.
    pub now: Moment,
    /// What the respondent keeps: the code that withdraws the interview.
    pub receipt: &'a dyn Fn(&Sheet) -> String,
}

/// All sheets as one HTML page, each beginning on a page of its own.
pub fn page(
    questionnaire: &Questionnaire,
    form: &Compiled,
    sheets: &[Sheet],
    options: &Options<'_>,
) -> String {
    let outline = questionnaire.outline();
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"vi\"><head><meta charset=\"utf-8\"><title>{}</title><style>{STYLE}</style></head><body>\n",
        escape(&questionnaire.settings.title)
    );
    for sheet in sheets {
        let setup = Setup {
            dialect: Dialect::default(),
            now: options.now,
            zone: 420,
            chance: Chance::new(sheet.chance, "expressions"),
        };
        let mut printer = Printer {
            outline: &outline,
            form,
            interview: Interview::new(form, setup),
            sheet,
            languages: languages(questionnaire, &options.languages),
            out: String::new(),
            sealed: String::new(),
            told: HashSet::new(),
        };
        printer.children(&questionnaire.nodes, &format!("/{}", questionnaire.settings.root), 2);
        let about = format!(
            "<h1>{}</h1><p class=how>Viết bằng bút bi. Đánh dấu <b>×</b> vào ô; ghi số vào ô, mỗi ô một chữ số. Ghi sai: \
             gạch chéo cả ô và đánh dấu ô đúng. <b>Không ghi tên, số điện thoại, địa chỉ của bất kỳ ai.</b></p>",
            escape(&questionnaire.settings.title)
        );
        let slip = format!(
            "<section class=slip><p><b>✂ Phần xé đưa cho người trả lời.</b> Muốn rút phiếu, xin gọi cơ quan khảo sát và đọc \
             mã này; không cần nói tên. Mã chỉ dùng để xóa phiếu.</p><p class=code>{}</p></section>",
            escape(&(options.receipt)(sheet))
        );
        let day = format!("<p class=day>Ngày phỏng vấn: {}/{}/{}</p>", boxes(2), boxes(2), boxes(4));
        let (open, sealed) = (printer.out, printer.sealed);
        html.push_str(&sheet_of(sheet, questionnaire, "Phiếu hỏi", &format!("{about}{day}{open}{slip}")));
        if !sealed.is_empty() {
            let envelope = "<h1>Phần tự điền, niêm phong</h1><p class=how>Điều tra viên trao tờ này và một phong bì, rồi quay \
                            đi. <b>Ông/bà tự đánh dấu, bỏ tờ này vào phong bì và dán kín.</b> Điều tra viên không xem, không \
                            hỏi lại; phong bì chỉ được mở ở nơi nhập liệu. Người không đọc được: điều tra viên đọc câu hỏi và \
                            phương án, ông/bà tự đánh dấu theo số thứ tự mà không nói ra.</p>";
            html.push_str(&sheet_of(sheet, questionnaire, "Tờ niêm phong", &format!("{envelope}{sealed}")));
        }
    }
    html.push_str("</body></html>\n");
    html
}

fn sheet_of(sheet: &Sheet, questionnaire: &Questionnaire, kind: &str, content: &str) -> String {
    // A table's head is printed on each of its pages.
    format!(
        "<table class=sheet><thead><tr><td><div class=head><span>{} · {kind}</span><b>Phiếu số {}</b></div></td></tr></thead>\
         <tbody><tr><td>{content}</td></tr></tbody></table>\n",
        escape(&questionnaire.settings.title),
        escape(&sheet.number)
    )
}

/// Names of languages in the form by their tags.
fn languages(questionnaire: &Questionnaire, tags: &[String]) -> Vec<String> {
    let wanted = |tag: &String| {
        let known =
            questionnaire.languages.iter().find(|language| language.tag == *tag || language.name == *tag);
        known.map(|language| language.name.clone())
    };
    let named: Vec<String> = tags.iter().filter_map(wanted).collect();
    if named.is_empty() { vec![questionnaire.default_language().to_owned()] } else { named }
}

struct Printer<'q, 'f> {
    outline: &'q Outline<'q>,
    form: &'f Compiled,
    interview: Interview<'f>,
    sheet: &'q Sheet,
    languages: Vec<String>,
    out: String,
    /// What stands on the sealed sheet.
    sealed: String,
    /// Drawn values whose table is printed already.
    told: HashSet<String>,
}

impl<'q> Printer<'q, '_> {
    fn children(&mut self, nodes: &'q [Node], path: &str, level: usize) {
        for (place, node) in nodes.iter().enumerate() {
            self.node(node, &nodes[place + 1..], &format!("{path}/{}", node.name), level);
        }
    }

    fn node(&mut self, node: &'q Node, after: &'q [Node], path: &str, level: usize) {
        if node.is_sealed() {
            let outside = std::mem::take(&mut self.out);
            self.group(node, path, level);
            let inside = std::mem::replace(&mut self.out, outside);
            self.sealed.push_str(&inside);
            let number = escape(&self.sheet.number);
            self.out.push_str(&format!(
                "<p class=handover>✉ Trao tờ niêm phong số <b>{number}</b> và phong bì. <span class=box></span> đã nhận lại phong \
                 bì dán kín <span class=box></span> không làm</p>"
            ));
        } else if node.is_repeat() {
            self.roster(node);
        } else if node.question().is_some() {
            self.question(node, after);
        } else {
            self.group(node, path, level);
        }
    }

    fn group(&mut self, node: &'q Node, path: &str, level: usize) {
        let before = self.out.len();
        let label = self.words(&node.wording.label);
        if !label.is_empty() {
            let level = level.min(4);
            self.out.push_str(&format!("<h{level}>{label}</h{level}>"));
        }
        self.condition(node);
        let content = self.out.len();
        self.children(node.children(), path, level + 1);
        // A group of nothing but calculations is nothing on paper.
        if self.out.len() == content {
            self.out.truncate(before);
        }
    }

    fn question(&mut self, node: &'q Node, after: &'q [Node]) {
        let Some(question) = node.question() else { return };
        let row = question.kind.row();
        let printed = !matches!(question.kind, QuestionType::Calculate | QuestionType::Hidden)
            && row.preload.is_none()
            && !matches!(row.stored, Stored::Place | Stored::File)
            && node.logic.calculation.is_none();
        if !printed {
            return;
        }
        if question.kind == QuestionType::Note {
            self.condition(node);
            let label = self.words(&node.wording.label);
            self.out.push_str(&format!("<p class=note>{label}</p>"));
            self.drawn(node);
            return;
        }
        self.out.push_str("<div class=question>");
        self.condition(node);
        let label = self.words(&node.wording.label);
        let hint = self.words(&node.wording.hint);
        self.out.push_str(&format!("<p class=label>{label}</p>"));
        if !hint.is_empty() {
            self.out.push_str(&format!("<p class=hint>{hint}</p>"));
        }
        let field = match row.stored {
            Stored::Choice | Stored::Choices | Stored::Ranking => self.choices(node, after),
            Stored::Integer => boxes(digits(node)),
            Stored::Decimal => format!("{}<span class=point>,</span>{}", boxes(5), boxes(2)),
            Stored::Date => format!("{}/{}/{} <small>ngày/tháng/năm</small>", boxes(2), boxes(2), boxes(4)),
            Stored::Time => format!("{}:{} <small>giờ:phút</small>", boxes(2), boxes(2)),
            Stored::DateTime => {
                format!("{}/{}/{} {}:{}", boxes(2), boxes(2), boxes(4), boxes(2), boxes(2))
            }
            Stored::Tick => "<span class=box></span>".to_owned(),
            _ => "<div class=line></div><div class=line></div>".to_owned(),
        };
        self.out.push_str(&field);
        self.out.push_str("</div>");
    }

    /// The choices in the order of this sheet, each with the question that follows where it is not the next one.
    fn choices(&mut self, node: &'q Node, after: &'q [Node]) -> String {
        let labelled = self.labelled(node);
        let Some(question) = node.question() else { return String::new() };
        if labelled.is_empty() {
            return boxes(3);
        }
        let short = labelled.iter().all(|(_, words)| words.chars().count() < 26);
        let mut out = format!("<ul class={}>", if short && labelled.len() > 6 { "columns" } else { "codes" });
        let rank = question.kind == QuestionType::Rank;
        let nexts: Vec<Option<String>> =
            labelled
                .iter()
                .map(|(code, _)| {
                    if question.kind == QuestionType::SelectOne { self.next(node, after, code) } else { None }
                })
                .collect();
        // One line in place of the same arrow behind nearly every code.
        let most = nexts.iter().flatten().next().filter(|first| {
            let same = nexts.iter().filter(|next| next.as_ref() == Some(first)).count();
            same > 3 && same == nexts.iter().flatten().count() && 2 * same > nexts.len() && same < nexts.len()
        });
        for ((code, words), next) in labelled.iter().zip(&nexts) {
            let next = next.as_ref().filter(|_| most.is_none());
            let next = next.map(|next| format!(" <b class=skip>→ {next}</b>")).unwrap_or_default();
            let field = if rank { boxes(1) } else { "<span class=box></span>".to_owned() };
            out.push_str(&format!(
                "<li>{field}<span class=number>{}</span> {words}{next}</li>",
                escape(code)
            ));
        }
        out.push_str("</ul>");
        if let Some(next) = most {
            let others = labelled.iter().zip(&nexts).filter(|(_, next)| next.is_none());
            let codes: Vec<String> = others.map(|((code, _), _)| escape(code)).collect();
            out.push_str(&format!("<p class=all>Không chọn {}: <b>→ {next}</b></p>", codes.join(", ")));
        }
        match question.kind {
            QuestionType::SelectMultiple => out.push_str("<p class=hint>Có thể đánh dấu nhiều ô.</p>"),
            QuestionType::Rank => {
                out.push_str("<p class=hint>Ghi 1 vào việc thứ nhất, 2 vào việc thứ hai …</p>")
            }
            _ => {}
        }
        out
    }

    /// Codes with their words: those that this sheet offers; all of the list where that hangs on other answers.
    fn labelled(&self, node: &Node) -> Vec<(String, String)> {
        let Some(choices) = node.question().and_then(|question| question.choices.as_ref()) else {
            return Vec::new();
        };
        let questionnaire = self.outline.questionnaire;
        let list = match &choices.source {
            ChoiceSource::List(name) => questionnaire.choice_lists.get(name),
            ChoiceSource::External(name) => questionnaire.external_choice_lists.get(name),
            ChoiceSource::File { .. } | ChoiceSource::Answers(_) => None,
        };
        let Some(list) = list else { return Vec::new() };
        let mut codes = self.live(&node.name).and_then(|node| self.interview.codes(node)).unwrap_or_default();
        let plain = list.choices.iter().map(|choice| choice.name.clone());
        if codes.is_empty() {
            codes = plain.collect();
        }
        let mut seen = HashSet::new();
        codes.retain(|code| seen.insert(code.clone()));
        codes
            .into_iter()
            .filter_map(|code| {
                let choice = list.choices.iter().find(|choice| choice.name == code)?;
                Some((code, self.words(&choice.label)))
            })
            .collect()
    }

    /// Where the interview goes on after a code, where that is not the question after this one.
    fn next(&self, node: &Node, after: &'q [Node], code: &str) -> Option<String> {
        let asked = |other: &&Node| self.is_printed(other);
        let holds = |other: &Node| {
            let condition = other.logic.relevant.as_deref().and_then(Condition::parse);
            condition.is_none_or(|condition| condition.can_hold(&node.name, code))
        };
        let following: Vec<&Node> = after.iter().filter(asked).collect();
        let at = following.iter().position(|other| holds(other));
        match at {
            Some(0) => None,
            None if following.is_empty() => None,
            Some(at) => Some(format!("chuyển {}", self.called(following[at]))),
            None => Some("hết phần này".to_owned()),
        }
    }

    fn is_printed(&self, node: &Node) -> bool {
        match node.question() {
            Some(question) => {
                question.kind.row().preload.is_none()
                    && !matches!(
                        question.kind,
                        QuestionType::Calculate | QuestionType::Hidden | QuestionType::Note
                    )
            }
            None => true,
        }
    }

    /// `câu I5`, or the words that the question begins with.
    fn called(&self, node: &Node) -> String {
        let words = self.first(&node.wording.label);
        match words.split_once(". ").filter(|(number, _)| number.chars().count() <= NUMBER) {
            Some((number, _)) if node.question().is_some() => format!("câu {}", escape(number)),
            Some((number, _)) => format!("phần {}", escape(number)),
            None if words.is_empty() => escape(&node.name),
            None => format!("“{}”", escape(&cut(&words, 40))),
        }
    }

    /// Whom the question or group is for.
    fn condition(&mut self, node: &Node) {
        let Some(relevant) = &node.logic.relevant else { return };
        let named = |name: &str| {
            let place = self.outline.named(name).first();
            place.map_or_else(|| name.to_owned(), |place| self.called(self.outline.places[*place].node))
        };
        let answer = |name: &str, code: &str| {
            let node = self.outline.places[*self.outline.named(name).first()?].node;
            let (_, words) = self.labelled(node).into_iter().find(|(known, _)| known == code)?;
            Some(cut(&words, 40))
        };
        let told = match Condition::parse(relevant) {
            Some(condition) => condition.in_words(&named, &answer),
            None => {
                let mut words = escape(relevant);
                for place in &self.outline.places {
                    words = words.replace(&format!("${{{}}}", place.node.name), &named(&place.node.name));
                }
                words
            }
        };
        self.out.push_str(&format!("<p class=only>Chỉ khi: {told}</p>"));
    }

    /// A drawn value that hangs on one number, such as the person to ask by the number of adults: a line of both.
    fn drawn(&mut self, node: &Node) {
        let mentioned: Vec<String> = self
            .first(&node.wording.label)
            .split("${")
            .skip(1)
            .filter_map(|rest| Some(rest.split_once('}')?.0.to_owned()))
            .collect();
        for name in mentioned {
            let Some(item) = self.form.named(&name).first().copied() else { continue };
            if self.form.items[item].calculation.is_none() || !self.value(&name).is_empty() {
                continue;
            }
            let Some(source) = self.number_behind(item) else { continue };
            if !self.told.insert(name.clone()) {
                continue;
            }
            let mut cells = Vec::new();
            self.open(source, 0);
            let asked = self.form.items[source].name.to_string();
            for persons in 1..=MOST_PERSONS {
                let Some(node) = self.live(&asked) else { break };
                self.interview.set(node, &persons.to_string());
                let value = self.value(&name);
                if value.is_empty() {
                    break;
                }
                cells.push((persons, value));
            }
            if let Some(node) = self.live(&asked) {
                self.interview.set(node, "");
            }
            if cells.is_empty() {
                continue;
            }
            let question = self.outline.named(&asked).first().map(|place| self.outline.places[*place].node);
            let called = question.map_or(asked.clone(), |node| self.called(node));
            let row = |of: &dyn Fn(&(usize, String)) -> String| {
                cells.iter().map(|c| format!("<td>{}</td>", of(c))).collect::<String>()
            };
            self.out.push_str(&format!(
                "<table class=drawn><tr><th>{called}</th>{}</tr><tr><th>người được chọn, thứ</th>{}</tr></table>",
                row(&|(persons, _)| persons.to_string()),
                row(&|(_, value)| escape(value))
            ));
        }
    }

    /// The only whole number that a calculation reads from an answer.
    fn number_behind(&self, item: usize) -> Option<usize> {
        let data = &self.form.items[item];
        let item_of = |reference: &Reference| match reference {
            Reference::Path(path) => self.form.find(path),
            Reference::Question(name) => self.form.named(name).first().copied(),
            Reference::Instance(..) => None,
        };
        let read = data.calculation.as_ref()?.references(&data.path);
        let mut found: Vec<usize> = read
            .iter()
            .filter_map(item_of)
            .filter(|other| self.form.items[*other].calculation.is_none())
            .collect();
        found.dedup();
        match found.as_slice() {
            [one] if self.form.items[*one].stored() == Some(Stored::Integer) => Some(*one),
            _ => None,
        }
    }

    /// Answers what an item hangs on, so that its value can be asked for.
    fn open(&mut self, item: usize, depth: usize) {
        if depth > 8 {
            return;
        }
        let around = std::iter::successors(Some(item), |at| self.form.items[*at].parent).collect::<Vec<_>>();
        for at in around.into_iter().rev() {
            let path = self.form.items[at].path.clone();
            let Some(relevant) =
                self.outline.at(&path).and_then(|place| place.node.logic.relevant.as_deref())
            else {
                continue;
            };
            let Some(condition) = Condition::parse(relevant) else { continue };
            let answers: Vec<(String, String)> = condition
                .answers()
                .unwrap_or_default()
                .into_iter()
                .map(|(question, code)| (question.to_owned(), code.to_owned()))
                .collect();
            for (question, code) in answers {
                if let Some(other) = self.form.named(&question).first().copied() {
                    self.open(other, depth + 1);
                }
                if let Some(node) = self.live(&question) {
                    self.interview.set(node, &code);
                }
            }
        }
    }

    fn roster(&mut self, node: &'q Node) {
        let label = self.words(&node.wording.label);
        self.out.push_str(&format!("<h4>{label}</h4>"));
        self.condition(node);
        let columns: Vec<&Node> = node.children().iter().filter(|child| self.is_printed(child)).collect();
        self.out.push_str("<table class=roster><tr><th></th>");
        for column in &columns {
            let codes: Vec<String> = self
                .labelled(column)
                .iter()
                .map(|(code, words)| format!("{} {words}", escape(code)))
                .collect();
            let label = self.words(&column.wording.label);
            self.out.push_str(&format!("<th>{label}<br><small>{}</small></th>", codes.join(" · ")));
        }
        self.out.push_str("</tr>");
        for line in 1..=ROSTER_LINES {
            self.out.push_str(&format!("<tr><td>{line}</td>{}</tr>", "<td></td>".repeat(columns.len())));
        }
        self.out.push_str("</table>");
    }

    fn live(&self, name: &str) -> Option<NodeId> {
        let item = *self.form.named(name).first()?;
        self.interview.nodes_of(item).first().copied()
    }

    fn value(&self, name: &str) -> String {
        self.live(name).map_or_else(String::new, |node| self.interview.tree.text(node).into_owned())
    }

    /// The text in the first language that has it, as it is written.
    fn first(&self, text: &Text) -> String {
        let named = self.languages.iter().find_map(|language| text.get(language));
        named.or_else(|| text.get(UNTRANSLATED)).or_else(|| text.values().next()).cloned().unwrap_or_default()
    }

    /// The text as HTML: the first language, the others small below it.
    fn words(&self, text: &Text) -> String {
        let first = self.first(text);
        let mut out = self.shown(&first);
        for language in self.languages.iter().skip(1) {
            if let Some(other) = text.get(language).filter(|other| **other != first) {
                out.push_str(&format!(" <i class=other>{}</i>", self.shown(other)));
            }
        }
        out
    }

    /// Values put in, what is not known yet as dots; `**x**` bold, lines kept.
    fn shown(&self, text: &str) -> String {
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, inside)) = rest.split_once("${") {
            plain.push_str(before);
            let Some((name, after)) = inside.split_once('}') else {
                plain.push_str("${");
                rest = inside;
                continue;
            };
            let value = self.value(name.trim());
            plain.push_str(if value.is_empty() { "……" } else { &value });
            rest = after;
        }
        plain.push_str(rest);
        let escaped = escape(plain.trim()).replace('\n', "<br>");
        let mut parts = escaped.split("**");
        let mut out = parts.next().unwrap_or_default().to_owned();
        for (place, part) in parts.enumerate() {
            out.push_str(if place % 2 == 0 { "<b>" } else { "</b>" });
            out.push_str(part);
        }
        if escaped.matches("**").count() % 2 == 1 {
            out.push_str("</b>");
        }
        out
    }
}

/// Boxes for digits: as many as the largest number that the constraint allows.
fn digits(node: &Node) -> usize {
    let constraint = node.logic.constraint.as_deref().unwrap_or_default();
    let numbers = constraint.split(|c: char| !c.is_ascii_digit()).map(str::len);
    numbers.max().filter(|length| (1..=9).contains(length)).unwrap_or(4)
}

fn boxes(count: usize) -> String {
    format!("<span class=boxes>{}</span>", "<span class=digit></span>".repeat(count))
}

fn cut(words: &str, most: usize) -> String {
    match words.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", words[..end].trim_end()),
        None => words.to_owned(),
    }
}

const STYLE: &str = "\
@page{size:A4;margin:14mm 14mm 16mm}*{box-sizing:border-box}\
body{font:11.5pt/1.4 'Be Vietnam Pro','Noto Sans',Arial,sans-serif;color:#000;margin:0 auto;max-width:182mm}\
table.sheet{width:100%;border-collapse:collapse;break-after:page}table.sheet>thead{display:table-header-group}\
table.sheet>tbody>tr>td,table.sheet>thead>tr>td{padding:0}\
.head{display:flex;justify-content:space-between;gap:8mm;border-bottom:1.5pt solid #000;padding-bottom:1mm;margin-bottom:3mm;font-size:10pt}\
.head b{font-size:13pt;letter-spacing:.06em;white-space:nowrap}\
h1{font-size:17pt;line-height:1.25;margin:0 0 2mm}h2{font-size:14pt;margin:6mm 0 2mm;padding:1mm 2mm;background:#e8e8e8;break-after:avoid}\
h3{font-size:12.5pt;margin:5mm 0 1mm;break-after:avoid}h4{font-size:11.5pt;margin:4mm 0 1mm;break-after:avoid}\
.how{border:.8pt solid #000;padding:2mm 3mm}.question{break-inside:avoid;margin:0 0 4.5mm}p{margin:0 0 1.2mm}\
.label{font-weight:600}.hint,.only,small{font-size:9.5pt}.hint{font-style:italic}.only{border-left:3pt solid #777;padding-left:2mm;color:#222}\
.note{margin:2mm 0 3mm}.other{font-size:9.5pt;font-weight:400;display:block}\
ul{list-style:none;margin:1mm 0 0;padding:0}li{display:flex;align-items:baseline;gap:2mm;padding:.9mm 0;break-inside:avoid}\
ul.columns{columns:2;column-gap:8mm}.box{display:inline-block;flex:none;width:5.5mm;height:5.5mm;border:1.2pt solid #000;vertical-align:-1mm}\
.number{flex:none;min-width:6mm;font-variant-numeric:tabular-nums;color:#333}.skip{white-space:nowrap;margin-left:auto}\
.boxes{display:inline-flex;padding-left:1.2pt}.digit{width:7.5mm;height:9mm;border:1.2pt solid #000;margin-left:-1.2pt}.point{font-size:16pt;padding:0 1mm}\
.line{border-bottom:.8pt solid #000;height:9mm}.handover{border:1.5pt dashed #000;padding:2.5mm 3mm;break-inside:avoid}\
table.drawn,table.roster{border-collapse:collapse;margin:2mm 0 4mm;break-inside:avoid}table.drawn td,table.drawn th,table.roster td,table.roster th{border:.8pt solid #000;padding:1mm 2mm;text-align:left;font-size:10pt}\
table.drawn td{text-align:center;min-width:9mm}table.roster{width:100%}table.roster td{height:9mm}table.roster td:first-child{width:8mm}\
.all{padding-left:7.5mm}.day{margin:3mm 0}.slip{border-top:1.2pt dashed #000;margin-top:8mm;padding:3mm 0;break-inside:avoid}.code{font:700 17pt monospace;letter-spacing:.1em}\
@media screen{body{padding:8mm}}";
