//! The entities sheet: lists that a form adds to or changes, and the group or repeat in which each
//! entity stands.

use indexmap::IndexMap;

use super::Problem;
use super::cells::Sheet;
use super::columns::{Columns, ENTITIES};
use crate::questionnaire::references::{is_xml_name, references};
use crate::questionnaire::{Entity, Outline, Position, Questionnaire, SAVE_TO};

/// Reads the declarations; where each stands is decided by [`place`].
pub fn read(sheet: Option<&Sheet>, problems: &mut Vec<Problem>) -> Vec<Entity> {
    let Some(sheet) = sheet else { return Vec::new() };
    let columns = Columns::of(sheet, &ENTITIES, problems);
    for tokens in
        columns.meanings().filter(|tokens| !matches!(tokens, [one] if ENTITIES.names.contains(&one.as_str())))
    {
        problems.push(
            Problem::new(
                "entities",
                "trang entities không có cột này",
                "the entities sheet has no such column",
            )
            .row(1)
            .column(tokens.join("::"))
            .suggest(Questionnaire::nearest(
                ["list_name", "label", "entity_id", "create_if", "update_if"],
                &tokens[0],
            )),
        );
    }
    let mut entities: Vec<Entity> = Vec::new();
    for row in &sheet.rows {
        let mut entity =
            Entity { position: Position { sheet: sheet.name.clone(), row: row.number }, ..Entity::default() };
        for cell in columns.cells(row, false) {
            match cell.tokens[0].as_str() {
                "dataset" => entity.list_name = cell.value,
                "label" => entity.label = Some(cell.value),
                "entity_id" => entity.entity_id = Some(cell.value),
                "create_if" => entity.create_if = Some(cell.value),
                "update_if" => entity.update_if = Some(cell.value),
                _ => {}
            }
        }
        check(&entity, &entities, problems);
        entities.push(entity);
    }
    entities
}

fn check(entity: &Entity, earlier: &[Entity], problems: &mut Vec<Problem>) {
    let mut say = |column: &str, vietnamese: &str, english: &str| {
        problems.push(Problem::new("entities", vietnamese, english).row(entity.position.row).column(column));
    };
    let name = &entity.list_name;
    if name.is_empty() {
        say("list_name", "thiếu tên danh sách", "the name of the list is missing");
    } else if name.starts_with("__") || name.contains('.') || !is_xml_name(name) {
        say(
            "list_name",
            "tên danh sách bắt đầu bằng chữ cái, không có dấu chấm, dấu cách, `__` ở đầu",
            "the list's name must begin with a letter and hold no dot, space or leading `__`",
        );
    } else if earlier.iter().any(|earlier| earlier.list_name == *name) {
        say("list_name", "danh sách này đã được khai báo", "this list is declared already");
    }
    let Entity { label, entity_id, create_if, update_if, .. } = entity;
    if entity_id.is_none() && update_if.is_some() {
        say("entity_id", "muốn cập nhật phải có entity_id", "an update needs an entity_id");
    }
    if entity_id.is_some() && create_if.is_some() && update_if.is_none() {
        say(
            "update_if",
            "có cả entity_id và create_if thì phải có update_if",
            "with entity_id and create_if there must be an update_if",
        );
    }
    if entity_id.is_none() && label.is_none() {
        say("label", "muốn tạo mới phải có nhãn", "a new entity needs a label");
    }
}

/// The groups and repeats around something, outermost first; empty at the root.
type Path = Vec<usize>;

/// Something in the survey sheet that an entity needs to reach.
struct Tie {
    path: Path,
    row: u32,
    /// The question's name for a `${}`, `None` for a `save_to`.
    question: Option<String>,
}

/// Where an entity wants to stand.
struct Request {
    entity: usize,
    scope: Path,
    path: Path,
    lineages: Vec<Path>,
}

struct Placing<'o, 'q> {
    outline: &'o Outline<'q>,
    entities: &'o [Entity],
    problems: &'o mut Vec<Problem>,
}

/// The container of each entity, in the order of the sheet: the one that its `save_to` questions
/// share, in the innermost repeat that they or its expressions lie in.
pub fn place(outline: &Outline<'_>, entities: &[Entity], problems: &mut Vec<Problem>) -> Vec<String> {
    let before = problems.len();
    let mut placing = Placing { outline, entities, problems };
    let ties = placing.ties();
    if placing.problems.len() > before {
        return Vec::new();
    }
    let mut requests = Vec::new();
    for (&entity, ties) in &ties {
        match placing.request(entity, ties) {
            Some(request) => requests.push(request),
            None => return Vec::new(),
        }
    }
    for entity in (0..entities.len()).filter(|entity| !ties.contains_key(entity)) {
        requests.push(Request { entity, scope: Path::new(), path: Path::new(), lineages: Vec::new() });
    }
    let places = placing.allocate(requests);
    let root = format!("/{}", outline.questionnaire.settings.root);
    let path = |place: Option<&Path>| match place.and_then(|path| path.last()) {
        Some(&container) => outline.places[container].path.clone(),
        None => root.clone(),
    };
    (0..entities.len()).map(|entity| path(places.get(&entity))).collect()
}

impl Placing<'_, '_> {
    fn say(&mut self, sheet: &str, row: u32, column: &str, vietnamese: String, english: String) {
        self.problems.push(Problem::new(sheet, vietnamese, english).row(row).column(column));
    }

    /// The ties of each entity in document order, entities in the order of their first tie.
    fn ties(&mut self) -> IndexMap<usize, Vec<Tie>> {
        let mut ties: IndexMap<usize, Vec<Tie>> = IndexMap::new();
        let mut properties: IndexMap<(usize, String), u32> = IndexMap::new();
        for index in 0..self.outline.places.len() {
            let node = self.outline.places[index].node;
            let mut path: Path = self.outline.ancestors(index).collect();
            path.reverse();
            let row = node.position.row;
            if let Some(save_to) = node.attributes.bind.get(SAVE_TO)
                && let Some((entity, property)) = self.saved(save_to, row, node.question().is_some())
            {
                if let Some(other) = properties.insert((entity, property.clone()), row) {
                    let vietnamese = format!("`{property}` đã được ghi ở dòng {other}");
                    self.say(
                        "survey",
                        row,
                        "save_to",
                        vietnamese,
                        format!("`{property}` is saved by row {other} already"),
                    );
                }
                ties.entry(entity).or_default().push(Tie { path: path.clone(), row, question: None });
            }
            for entity in 0..self.entities.len() {
                if refers(&self.entities[entity], &node.name) {
                    let question = Some(node.name.clone());
                    ties.entry(entity).or_default().push(Tie { path: path.clone(), row, question });
                }
            }
        }
        ties
    }

    /// The entity and property of a `save_to`.
    fn saved(&mut self, save_to: &str, row: u32, is_question: bool) -> Option<(usize, String)> {
        let (list, property) = match save_to.split_once('#') {
            Some((list, property)) => (Some(list), property),
            None => (None, save_to),
        };
        let unknown = |list: &str| {
            (
                format!("trang entities không có danh sách `{list}`"),
                format!("the entities sheet has no list `{list}`"),
            )
        };
        let found = match list {
            Some(list) => {
                self.entities.iter().position(|entity| entity.list_name == list).ok_or_else(|| unknown(list))
            }
            None if self.entities.len() == 1 => Ok(0),
            None if self.entities.is_empty() => Err((
                "save_to cần trang entities".to_owned(),
                "save_to needs an entities sheet that declares a list".to_owned(),
            )),
            None => Err((
                "có nhiều danh sách: hãy viết `danh_sách#thuộc_tính`".to_owned(),
                "there are several lists: write `list#property`".to_owned(),
            )),
        };
        let wrong_name = matches!(property.to_lowercase().as_str(), "name" | "label")
            || property.starts_with("__")
            || !is_xml_name(property)
            || property.contains('#');
        let result = found.and_then(|entity| {
            if !is_question {
                Err((
                    "nhóm không ghi vào danh sách được".to_owned(),
                    "a group cannot be saved to a list".to_owned(),
                ))
            } else if wrong_name {
                Err((
                    format!("tên thuộc tính `{property}` không dùng được"),
                    format!("`{property}` cannot be the name of a property"),
                ))
            } else {
                Ok((entity, property.to_owned()))
            }
        });
        result.map_err(|(vietnamese, english)| self.say("survey", row, "save_to", vietnamese, english)).ok()
    }

    fn is_repeat(&self, index: usize) -> bool {
        self.outline.places[index].node.is_repeat()
    }

    /// The path to the innermost repeat.
    fn scope(&self, path: &[usize]) -> Path {
        let end = path.iter().rposition(|&index| self.is_repeat(index)).map_or(0, |at| at + 1);
        path[..end].to_vec()
    }

    /// Repeats in a path, and groups after the last of them.
    fn depth(&self, path: &[usize]) -> (usize, usize) {
        let repeats = path.iter().filter(|&&index| self.is_repeat(index)).count();
        (repeats, path.len() - self.scope(path).len())
    }

    fn request(&mut self, entity: usize, ties: &[Tie]) -> Option<Request> {
        let deepest_scope = ties.iter().map(|tie| self.scope(&tie.path)).max_by_key(|scope| {
            // Of equally deep ones the first counts.
            (
                self.depth(scope).0,
                std::cmp::Reverse(ties.iter().position(|tie| self.scope(&tie.path) == *scope)),
            )
        })?;
        let deepest = |saved_only: bool| {
            let ties = ties.iter().filter(|tie| !saved_only || tie.question.is_none());
            let in_scope: Vec<&Tie> =
                ties.clone().filter(|tie| self.scope(&tie.path) == deepest_scope).collect();
            let from = if in_scope.is_empty() { ties.collect() } else { in_scope };
            let depth = from.iter().map(|tie| self.depth(&tie.path).1).max();
            from.into_iter().find(|tie| Some(self.depth(&tie.path).1) == depth)
        };
        let saved = deepest(true);
        let mut path = saved.or_else(|| deepest(false))?.path.clone();
        let mut lineages: Vec<Path> = Vec::new();
        for tie in ties.iter().filter(|tie| tie.question.is_none()) {
            if !lineages.contains(&tie.path) {
                lineages.push(tie.path.clone());
            }
        }
        if let (Some(saved), Some(first)) = (saved, lineages.first()) {
            let shared = |length: &usize| {
                lineages.iter().all(|lineage| lineage.get(..*length) == first.get(..*length))
            };
            let length = (0..=first.len()).rev().find(shared).unwrap_or(0);
            let common = first[..length].to_vec();
            let scope = self.scope(&saved.path);
            path =
                if lineages.len() > 1 && self.depth(&scope) >= self.depth(&common) { scope } else { common };
        }
        let scope_of_path = self.scope(&path);
        let list = &self.entities[entity].list_name;
        let entity_row = self.entities[entity].position.row;
        for tie in ties {
            let scope = self.scope(&tie.path);
            let outside = deepest_scope.get(..scope.len()) != Some(&scope[..]);
            match &tie.question {
                None if outside || scope != scope_of_path => {
                    let vietnamese = format!("các câu ghi vào `{list}` phải cùng nằm trong một nhóm lặp");
                    let english = format!("all questions saved to `{list}` must lie in one repeat");
                    self.say("survey", tie.row, "save_to", vietnamese, english);
                    return None;
                }
                Some(question) if outside => {
                    let vietnamese =
                        format!("`${{{question}}}` ở nhóm lặp khác với các câu còn lại của `{list}`");
                    let english =
                        format!("`${{{question}}}` lies in another repeat than the rest of `{list}`");
                    self.say("entities", entity_row, "list_name", vietnamese, english);
                    return None;
                }
                _ => {}
            }
        }
        Some(Request { entity, scope: deepest_scope, path, lineages })
    }

    /// One entity a container: as deep as wished, else further out, never out of its repeat.
    fn allocate(&mut self, requests: Vec<Request>) -> IndexMap<usize, Path> {
        let mut taken: IndexMap<Path, usize> = IndexMap::new();
        let mut places = IndexMap::new();
        if let [only] = &requests[..]
            && only.scope.is_empty()
        {
            places.insert(only.entity, Path::new());
            return places;
        }
        let mut by_scope: IndexMap<Path, Vec<Request>> = IndexMap::new();
        for request in requests {
            by_scope.entry(request.scope.clone()).or_default().push(request);
        }
        for (scope, mut requests) in by_scope {
            requests.sort_by_key(|request| self.entities[request.entity].position.row);
            for request in requests {
                let mut place = None;
                for length in (scope.len()..=request.path.len()).rev() {
                    let container = request.path[..length].to_vec();
                    if !taken.contains_key(&container) {
                        place = Some(container);
                        break;
                    }
                    if request.lineages.iter().any(|lineage| taken.contains_key(lineage)) {
                        break;
                    }
                }
                let Some(place) = place else {
                    let row = self.entities[request.entity].position.row;
                    let vietnamese =
                        "không còn nhóm nào để đặt thực thể này; mỗi nhóm chỉ chứa một".to_owned();
                    let english = "no group is free for this entity; each holds only one".to_owned();
                    self.say("entities", row, "list_name", vietnamese, english);
                    continue;
                };
                for lineage in &request.lineages {
                    for length in place.len()..=lineage.len() {
                        taken.insert(lineage[..length].to_vec(), request.entity);
                    }
                }
                taken.insert(place.clone(), request.entity);
                places.insert(request.entity, place);
            }
        }
        places
    }
}

/// Whether an expression of the entity refers to the node of this name.
fn refers(entity: &Entity, name: &str) -> bool {
    let expressions = [&entity.label, &entity.entity_id, &entity.create_if, &entity.update_if];
    expressions
        .into_iter()
        .flatten()
        .any(|text| references(text).is_ok_and(|found| found.iter().any(|reference| reference.name == name)))
}
