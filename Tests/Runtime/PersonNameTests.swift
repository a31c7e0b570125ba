import Runtime
import TestSupport
import Testing
import Values

@Suite("Names of people", .timeLimit(.minutes(15)), .inTurn)
struct PersonNameTests {
  @Test(
    "Spellings that look the same are one person",
    arguments: [
      ("anna", "Anna"), ("anna", "ANNA"), ("anna", "annа"), ("anna", "аnnа"), ("anna", "an\u{200B}na"),
      ("anna", "\u{2060}anna\u{FEFF}"), ("anna", "an\u{00AD}na"), ("anna", "anna\u{202C}"), ("anna", "an\u{E0061}na"),
      ("anna", " anna "), ("anna", "anna\u{3164}"), ("anna", "anna\u{2800}"), ("anna", "ａｎｎａ"), ("anna", "𝐚𝓃𝔫𝕒"),
      ("anna", "ⓐⓝⓝⓐ"), ("anna", "🅐🅝🅝🅐"), ("anna", "ΑΝΝΑ"), ("anna", "ꭺnnꭺ"), ("anna", "an\u{034F}na"),
      ("anna", "anna\u{FE0F}"),
      ("a. meier", "a.  meier"), ("a. meier", "a.\u{00A0}meier"), ("a. meier", "A.\u{2003}Meier"),
      ("j-meier", "j‑meier"), ("o'neil", "o’neil"), ("müller", "mu\u{308}ller"), ("MÜLLER", "müller"),
      ("straße", "STRASSE"), ("Helen", "НЕLЕN"), ("paul", "раul"), ("paul", "pau1"), ("Ian", "lan"), ("Ian", "1an"),
      ("leo", "le0"), ("leo", "lеο"), ("marta", "rnarta"), ("willi", "vvilli"), ("ivan", "і\u{307}van"), ("ida", "ıda"),
      ("νίκος", "ΝΊΚΟΣ"), ("иван", "ИВАН"), ("иванов", "ивaнoв"), ("ANNI", "аnnі"), ("scope", "ѕсоре"), ("max", "mаⅹ"),
      ("user2", "user２"), ("anonymous", "Anоnymous"), ("anna", "anna."), ("anna", "anna。"), ("anna", "-Anna_"),
      ("anna", "“anna”"), ("anna", "( anna )"), ("j. r. meier", "J. R. Meier."), ("...", "..."),
    ])
  func alike(_ one: String, _ other: String) {
    #expect(PersonName(one).looksLike(PersonName(other)))
    #expect(PersonName(other).looksLike(PersonName(one)))
  }

  @Test(
    "Names that look different are two people",
    arguments: [
      ("anna", "anne"), ("anna", "hanna"), ("anna", "ann a"), ("ali", "all"), ("анна", "anna"), ("a.meier", "b.meier"),
      ("user1", "user2"), ("иван", "ivan"), ("李", "王"), ("kim", "tim"), ("müller", "muller"), ("ben", "bern"),
      ("mila", "mira"), ("a.meier", "ameier"), ("...", "---"), ("anna (ops)", "anna"),
    ])
  func apart(_ one: String, _ other: String) { #expect(!PersonName(one).looksLike(PersonName(other))) }

  @Test("An invisible character is found")
  func invisible() {
    for scalar: Unicode.Scalar in [
      "\u{0}", "\u{7}", "\u{7F}", "\u{85}", "\u{AD}", "\u{61C}", "\u{115F}", "\u{180E}", "\u{200B}", "\u{200D}",
      "\u{200E}",
      "\u{2028}", "\u{202E}", "\u{2066}", "\u{2800}", "\u{3164}", "\u{FE0F}", "\u{FEFF}", "\u{E000}", "\u{E0041}",
      "\u{E0100}", "\u{1D173}",
    ] {
      #expect(PersonName.invisible(in: "an\(Character(scalar))na") == scalar, "\(PersonName.codePoint(scalar))")
    }
    for name in ["anna", "a. meier", "Müller", "Mu\u{308}ller", "Анна", "李小龍", "عمر", "O'Neil-Łuk"] {
      #expect(PersonName.invisible(in: name) == nil, "\(name)")
    }
    #expect(PersonName.codePoint("\u{AD}") == "U+00AD")
  }
}
