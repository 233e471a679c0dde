//! The printed Kish grid for forms on paper: which table each form carries, whom it asks, and the weight that
//! follows. A sheet to print; it names nobody.

use super::household::{KISH_GRID, grid_letters, grid_probability, respondent_weight};
use crate::disclosure::{Cell, SafeTable};
use crate::report::{Block, Front, Report};

/// Most forms of one run: more is a slip of the keyboard.
pub const MOST_FORMS: usize = 100_000;

/// The sheet for `forms` numbered forms. The same seed gives the same letters.
pub fn kish_page(forms: usize, seed: u64) -> Report {
    let blocks = vec![
        Block::Heading(1, "1. Cách dùng (how to use)".into()),
        Block::Items(
            [
                "Ghi mọi người từ 18 tuổi trong hộ: nam trước, từ lớn tuổi đến nhỏ; rồi nữ, từ lớn tuổi đến nhỏ. Đánh số 1, 2, 3 …",
                "Tìm chữ của phiếu ở bảng 3. Ở bảng 1, lấy dòng của chữ đó và cột có số người của hộ: số trong ô là người được hỏi.",
                "Không đổi người khác khi người được chọn vắng nhà hoặc từ chối.",
                "Từ bảy người trở lên dùng cột 6: người thứ bảy trở đi không được chọn, xác suất là 0.",
                "Mỗi phiếu dùng đúng chữ đã in, theo thứ tự số phiếu.",
            ]
            .map(str::to_owned)
            .to_vec(),
        ),
        Block::Table(grid()),
        Block::Heading(1, "2. Xác suất và quyền số (probability, weight)".into()),
        Block::Table(weights()),
        Block::Heading(1, "3. Chữ của từng phiếu (letter of each form)".into()),
        Block::Table(letters(forms, seed)),
    ];
    Report {
        front: Front::sheet(
            "BẢNG KISH",
            format!("Chọn một người trong hộ, {forms} phiếu, hạt giống {seed} (Kish grid)"),
            None,
        ),
        blocks,
    }
}

const ADULTS: [&str; 6] = ["1 người", "2 người", "3 người", "4 người", "5 người", "6 người trở lên"];

fn grid() -> SafeTable {
    let mut table = SafeTable::new(
        "Người được hỏi, theo chữ của phiếu và số người từ 18 tuổi trong hộ",
        ["Chữ"].into_iter().chain(["Phần phiếu"]).chain(ADULTS),
    );
    for row in KISH_GRID {
        let share = Cell::text(format!("{}/12", row.twelfths));
        let ask = row.ask.map(|person| Cell::Fieldwork(person as u64));
        table.push([Cell::text(row.letter), share].into_iter().chain(ask).collect());
    }
    table.note("Nguồn (source): Kish, L. (1949), JASA 44, 380–387.")
}

/// Probability in twelfths and weight of each person in each size of household.
fn weights() -> SafeTable {
    let mut table = SafeTable::new(
        "Xác suất được hỏi, và quyền số trong hộ = 1 / xác suất",
        ["Người số"].into_iter().chain(ADULTS),
    );
    for person in 1..=6 {
        let cell = |adults: usize| {
            let p = grid_probability(person, adults);
            match respondent_weight(p) {
                Some(weight) => {
                    let digits = if (weight - weight.round()).abs() < 1e-9 { 0 } else { 1 };
                    let weight = crate::charts::numerals::decimal(weight, digits);
                    Cell::text(format!("{}/12 → {weight}", (p * 12.0).round()))
                }
                None => Cell::text("–"),
            }
        };
        let name = Cell::Fieldwork(person as u64);
        table.push([name].into_iter().chain((1..=6).map(cell)).collect());
    }
    table
        .note("Quyền số trong hộ không luôn bằng số người: với 5 người, người số 3 và số 5 được hỏi với xác suất 3/12, người khác 2/12.")
        .note("Máy tính bảng không dùng bảng này: ở đó mỗi người có xác suất 1 / số người.")
}

/// Ten forms a row.
fn letters(forms: usize, seed: u64) -> SafeTable {
    const A_ROW: usize = 10;
    let heads = (1..=A_ROW).map(|i| format!("+{i}"));
    let mut table = SafeTable::new("Chữ theo số phiếu", ["Sau phiếu số".to_owned()].into_iter().chain(heads));
    for (i, row) in grid_letters(forms, seed).chunks(A_ROW).enumerate() {
        let start = Cell::Fieldwork((i * A_ROW) as u64);
        table.push([start].into_iter().chain(row.iter().map(|letter| Cell::text(*letter))).collect());
    }
    table.note("Mỗi 12 phiếu liền nhau, bắt đầu từ phiếu 1, có đủ các chữ theo phần của chúng.")
}
