import JSON
import TestSupport
import Testing
import Values

@testable import Workflows

@Suite("Expressions", .timeLimit(.minutes(15)), .inTurn)
struct ExpressionTests {
  static let document: JSON = [
    "input": [
      "a": 7, "b": 2, "price": 0.1, "tax": 0.2, "name": "  Ada ", "barcode": "TS-4711-B", "flag": false, "null": .null,
      "numbers": [3, 1, 2, 3], "texts": ["b", "a", "c"], "mixed": [1, "1", 1.0, true], "empty": [], "text": "12.50",
      "at": "2026-03-01T08:00:00.500Z", "dag-version": "v1", "object": ["x": 1],
      "libraries": [["id": "L1", "reads": 100], ["id": "L2", "reads": 250], ["id": "L3"]], "big": 1e300, "blank": "",
    ],
    "steps": ["broken": ["status": "succeeded", "outputError": ["code": "http.answerNotJSON", "message": "no JSON"]]],
    "saga": ["id": "s"],
  ]

  private static func value(of text: String) throws -> JSON? {
    try Template(.string("${\(text)}")).render(in: document)
  }

  @Test(
    "An expression has its value",
    arguments: [
      // Arithmetic on exact decimals, and its precedence.
      ("1 + 2 * 3", 7), ("(1 + 2) * 3", 9), ("input.a - input.b - 1", 4), ("input.a-input.b", 5), ("2 - -3", 5),
      ("-input.a + 1", -6), ("- -input.a", 7), ("--7", 7), ("input.price + input.tax == 0.3", true), ("7 / 2", 3.5),
      ("input.a % input.b", 1), ("$.input.a*2", 14), ("input.numbers[0] * 2", 6), ("2*input.numbers[-1]", 6),
      ("9007199254740993 + 1", 9_007_199_254_740_994), ("1 / 3 * 3 == 1", false), ("1e2 + 1", 101),
      // A default for a value that is missing; null is a value.
      ("input.none ?? 'v2'", "v2"), ("input.a ?? 'v2'", 7), ("input.null ?? 1", .null), ("input.flag ?? true", false),
      ("input.none ?? input.no ?? 3", 3), ("input.none + 1 ?? 0", 0), ("input.a + 1 ?? 0", 8),
      ("(input.none ?? 1) + 1", 2), ("input.none ?? 1 + 1", 2), ("upper(input.none) ?? 'X'", "X"),
      ("input.libraries[?@.id == 'L9'].reads ?? 0", 0), ("input.libraries[?@.id == 'L2'].reads ?? 0", 250),
      ("input.none ?? 1 > 0", true), ("(input.none) ?? 4", 4),
      // Conditions.
      ("input.a > 5 && input.b < 5", true), ("input.a > 5 && !input.none", true), ("!(input.a == 7)", false),
      ("input.a == 7 || input.none", true), ("match(input.barcode, 'TS-.*')", true), ("(1 < 2) && (2 < 3)", true),
      ("input.a + input.b > 8", true), ("count(input.libraries[?@.reads > 50 + 60]) == 1", true),
      ("count(input.libraries[?@.reads > $.input.b * 100])", 1),
      // Literals.
      ("'x'", "x"), ("5", 5), ("true", true), ("null", .null), ("\"say\"", "say"),
      // Over nodes.
      ("list(input.libraries[*].id)", ["L1", "L2", "L3"]), ("list(input.none[*])", []), ("first(input.texts[*])", "b"),
      ("first(input.none[*]) ?? 'none'", "none"), ("sum(input.libraries[*].reads)", 350), ("sum(input.none[*])", 0),
      ("min(input.numbers[*])", 1), ("max(input.numbers[*])", 3), ("max(input.texts[*])", "c"),
      ("min(input.empty[*]) ?? 9", 9), ("avg(input.numbers[*])", 2.25), ("avg(input.empty[*]) ?? 0", 0),
      ("join(input.texts[*], ', ')", "b, a, c"), ("join(input.numbers[*])", "3123"), ("join(input.empty[*], 'x')", ""),
      ("distinct(input.numbers[*])", [3, 1, 2]), ("distinct(input.mixed[*])", [1, "1", true]),
      ("sum(distinct(input.numbers[*]))", 6), ("count(input.numbers[*]) + length(input.texts)", 7),
      ("join(split(input.barcode, '-'), '/')", "TS/4711/B"), ("value(input.libraries[?@.id=='L1'].reads) + 1", 101),
      // On text.
      ("upper(trim(input.name))", "ADA"), ("lower('ÀB')", "àb"), ("trim(' \\t ')", ""),
      ("replace(input.barcode, '-', '')", "TS4711B"), ("replace('aaa', 'aa', 'b')", "ba"),
      ("replace('é', 'e', 'x')", "é"), ("split('a,,b', ',')", ["a", "", "b"]), ("split('', ',')", [""]),
      ("text(input.a)", "7"), ("text(input.flag)", "false"), ("text(input.object)", "{\"x\":1}"),
      ("text(input.null)", "null"), ("split(text(1.50), '.')", ["1", "50"]),
      // On numbers.
      ("number(input.text) * 2", 25), ("number(3)", 3), ("round(2.5)", 3), ("round(-2.5)", -3),
      ("round(2.345, 2)", 2.35),
      ("round(1250, -2)", 1_300), ("floor(-1.5)", -2), ("ceil(1.2)", 2), ("abs(-3)", 3), ("abs(input.a - 10)", 3),
      // On time.
      ("seconds('1970-01-01T00:01:00Z')", 60), ("seconds(input.at)", 1_772_352_000.5),
      ("timestamp(seconds(input.at) + duration('24h'))", "2026-03-02T08:00:00.500Z"), ("duration('PT1H30M')", 5_400),
      ("duration('250ms')", 0.25), ("timestamp(0)", "1970-01-01T00:00:00.000Z"),
      ("seconds('2026-03-01T09:00:00+01:00') == seconds('2026-03-01T08:00:00Z')", true),
      // Queries as before.
      ("input.a", 7), ("$.input.a", 7), ("['input'].a", 7), ("input['dag-version']", "v1"),
      ("input.libraries[?@.id == 'L1'].reads", 100), (" input.a ", 7),
    ] as [(String, JSON)])
  func value(_ text: String, _ value: JSON) throws {
    #expect(try Self.value(of: text) == value)
  }

  @Test(
    "An expression without a value fails with its code",
    arguments: [
      ("input.none", "expression.empty"), ("input.none + 1", "expression.empty"),
      ("upper(input.none)", "expression.empty"),
      ("first(input.none[*])", "expression.empty"), ("avg(input.empty[*])", "expression.empty"),
      ("input.none ?? input.no", "expression.empty"), ("input.numbers[*]", "expression.many"),
      ("input.numbers[*] + 1", "expression.many"), ("input.numbers[*] ?? 1", "expression.many"),
      ("input.name + 1", "expression.wrongType"), ("input.null + 1", "expression.wrongType"),
      ("-input.flag", "expression.wrongType"), ("sum(input.texts[*])", "expression.wrongType"),
      ("sum(input.numbers)", "expression.wrongType"), ("upper(input.a)", "expression.wrongType"),
      ("min(input.mixed[*])", "expression.wrongType"), ("max(input.libraries[*])", "expression.wrongType"),
      ("join(input.libraries[*])", "expression.wrongType"), ("round(input.a, input.name)", "expression.wrongType"),
      ("list(upper(input.text))", "expression.wrongType"), ("number(input.object)", "expression.wrongType"),
      ("1 / (input.b - 2)", "expression.arithmetic"), ("1 % (input.b - 2)", "expression.arithmetic"),
      ("1e200 * 1e200", "expression.arithmetic"), ("input.big * 1e300", "expression.arithmetic"),
      ("number(replace('3;5', ';', ','))", "expression.badArgument"),
      ("number(trim(input.blank))", "expression.badArgument"),
      ("seconds(input.text)", "expression.badArgument"),
      ("duration(input.text)", "expression.badArgument"), ("timestamp(input.big)", "expression.badArgument"),
      ("round(input.a, 0.5)", "expression.badArgument"), ("round(input.a, input.a * 5)", "expression.badArgument"),
      ("split(input.text, '')", "expression.badArgument"),
      ("replace(input.text, input.blank, 'b')", "expression.badArgument"),
      // The participant answered, but the answer can't be read. A default does not replace an answer.
      ("steps.broken.output.id", "http.answerNotJSON"), ("steps.broken.output.id ?? 1", "http.answerNotJSON"),
      ("list(steps.broken.output.ids[*])", "http.answerNotJSON"),
    ])
  func failure(_ text: String, _ code: String) {
    let error = #expect(throws: ExpressionError.self) { try Self.value(of: text) }
    #expect(error?.code == code, "\(error?.message ?? "")")
    #expect(error?.message.contains("${\(text)}") == true)
  }

  @Test(
    "An expression that is not well-formed is refused with its code and place",
    arguments: [
      ("1 +", "jsonpath.syntax", 3), ("input.a input.b", "jsonpath.syntax", 8), ("(1 + 2", "jsonpath.syntax", 0),
      ("1 + 2)", "jsonpath.syntax", 5), ("'a' + 'b'", "jsonpath.type", 0), ("1 + 'b'", "jsonpath.type", 4),
      ("true * 2", "jsonpath.type", 0), ("(1 < 2) + 1", "jsonpath.type", 1), ("1 < 2 < 3", "jsonpath.syntax", 6),
      ("(1 < 2) == true", "jsonpath.type", 1), ("nothing", "jsonpath.type", 0), ("1 + nothing", "jsonpath.type", 4),
      ("(input.a ?? nothing) ?? 1", "jsonpath.type", 1), ("input.a ?? nothing ?? 1", "jsonpath.syntax", 18),
      ("nothing ?? 1", "jsonpath.type", 0), ("input.a ? 1 : 2", "jsonpath.syntax", 8),
      ("input?.a", "jsonpath.syntax", 5),
      ("sums(input.a)", "jsonpath.unknownFunction", 0), ("upper()", "jsonpath.type", 0),
      ("upper('a', 'b')", "jsonpath.type", 0), ("upper(1)", "jsonpath.type", 6), ("sum(1)", "jsonpath.type", 4),
      ("round('1')", "jsonpath.type", 6), ("input.a && 1", "jsonpath.syntax", 11),
      ("input.a + 1 && true", "jsonpath.type", 0),
      ("!input.a == 1", "jsonpath.syntax", 0), ("input.numbers[*] == 1", "jsonpath.type", 0),
      ("input.a & input.b", "jsonpath.syntax", 8), ("input.a = 1", "jsonpath.syntax", 8),
      ("sum (input.a)", "jsonpath.syntax", 4),
      ("input.a[?b > 1]", "jsonpath.syntax", 9), ("length(1 < 2)", "jsonpath.type", 7),
      // Values that are wrong as they are written.
      ("1 / 0", "jsonpath.type", 4), ("input.a % 0", "jsonpath.type", 10), ("duration('soon')", "jsonpath.type", 0),
      ("seconds('2026-03-01')", "jsonpath.type", 0), ("number('3,5')", "jsonpath.type", 0),
      ("timestamp(1e20)", "jsonpath.type", 0), ("round(1, 35)", "jsonpath.type", 0),
      ("split('a', '')", "jsonpath.type", 0),
      ("!input.a ?? 1", "jsonpath.syntax", 9),
    ])
  func refused(_ text: String, _ code: String, _ place: Int) {
    let error = #expect(throws: JSONPathError.self) { try Expression(text, offset: 0) }
    #expect(error?.code == code, "\(error?.message ?? "")")
    #expect(error?.at == place, "\(error?.message ?? "")")
  }

  @Test("A misspelt function gets the near name")
  func nearFunction() {
    let error = #expect(throws: JSONPathError.self) { try Expression("sums(input.a)", offset: 0) }
    #expect(error?.message.contains("Did you mean sum()?") == true)
  }

  @Test("?? nothing leaves a member, an element, a text and a whole template out")
  func nothing() throws {
    let template = try Template([
      "a": "${input.none ?? nothing}", "b": ["${input.none ?? nothing}", "${input.a ?? nothing}"], "c": 1,
      "d": "${input.null ?? nothing}",
    ])
    #expect(try template.render(in: Self.document) == ["b": [7], "c": 1, "d": .null])
    #expect(template.renderMembers(in: Self.document).value == ["b": [7], "c": 1, "d": .null])
    #expect(try Template("${input.none ?? nothing}").render(in: Self.document) == nil)
    #expect(try TextTemplate("${input.none ?? nothing}").render(in: Self.document) == nil)
    #expect(try TextTemplate("${input.a ?? nothing}").render(in: Self.document) == "7")
    for text in ["x${input.none ?? nothing}", "${input.none ?? nothing}${input.a}"] {
      let error = #expect(throws: TemplateError.self) { try TextTemplate(text) }
      #expect(error?.code == "jsonpath.type")
    }
  }

  @Test(
    "A condition computes too, and needs $ before a query",
    arguments: [
      ("$.input.a + $.input.b == 9", true), ("sum($.input.numbers[*]) < 10", true), ("$.input.none ?? 1 == 1", true),
      ("seconds($.input.at) + duration('24h') > seconds('2026-03-02T00:00:00Z')", true), ("(($.input.a))", true),
      ("$.input.none + 1 == $.input.none", true), ("$.input.numbers[?@ * 2 == 6]", true), ("!($.input.a > 1)", false),
      ("lower($.input.barcode) == 'ts-4711-b'", true), ("$.input.a > 100 && 1 / $.input.none > 1", false),
      ("$.input.a > 100 && 1 / ($.input.b - 2) > 1", false),
    ])
  func condition(_ text: String, _ holds: Bool) throws {
    #expect(try JSONPathCondition(text).holds(in: Self.document) == holds)
  }

  @Test(
    "A condition whose value can't be computed is neither true nor false",
    arguments: [
      ("1 / ($.input.b - 2) == 1", "expression.arithmetic"), ("!($.input.name + 1 > 0)", "expression.wrongType"),
      ("sum($.input.texts[*]) == 0", "expression.wrongType"),
      ("$.input.numbers[?1 / (@ - 3) > 1]", "expression.arithmetic"),
    ])
  func undecided(_ text: String, _ code: String) throws {
    let condition = try JSONPathCondition(text)
    let error = #expect(throws: ExpressionError.self) { try condition.holds(in: Self.document) }
    #expect(error?.code == code)
  }

  @Test("A query of RFC 9535 knows nothing of the expression language")
  func strictQuery() {
    for text in ["$.a + 1", "$[?@.a + 1 == 2]", "$[?sum(@.a) == 1]", "$[?(@.a ?? 1) == 1]", "$.a ?? 1", "a"] {
      #expect(throws: JSONPathError.self, "\(text)") { try JSONPath(text) }
    }
  }

  @Test("A query that may be missing needs no guard, and the others do")
  func mayBeMissing() throws {
    let expression = try Expression(
      "input.a + (input.b ?? input.c) + sum(input.d[*]) + length(input.e) + count(input.f[?@ > $.input.g])", offset: 0)
    let missing = Dictionary(
      expression.referencedQueries.map { ($0.leadingTokens.last.map { "\($0)" } ?? "", $0.mayBeMissing) },
      uniquingKeysWith: { first, _ in first })
    #expect(missing == ["a": false, "b": true, "c": false, "d": true, "e": false, "f": true, "g": true])
    #expect(try Expression("input.a ?? nothing", offset: 0).referencedQueries.map(\.mayBeMissing) == [true])
  }

  // MARK: Budgets

  @Test(
    "A costly expression ends with its code",
    arguments: [
      // 4 MiB of text in doublings would need far more.
      ("join(input.many[*], input.long)", "rendering.tooLarge"),
      ("replace(input.long, 'a', input.long)", "rendering.tooLarge"),
      ("replace(input.long, input.needle, 'x')", "expression.budget"),
      ("count(input.many[?sum($.input.many[*]) > @])", "expression.budget"),
    ])
  func budget(_ text: String, _ code: String) throws {
    let long = String(repeating: "a", count: 300_000)
    let document: JSON = [
      "input": [
        "many": .array((0..<20_000).map { .int($0) }), "long": .string(long),
        "needle": .string(String(repeating: "a", count: 150_000) + "b"),
      ]
    ]
    let template = try Template(.string("${\(text)}"))
    let error = #expect(throws: ExpressionError.self) { try template.render(in: document) }
    #expect(error?.code == code)
  }

  @Test("A long or deep expression is refused or evaluated, and never overflows the stack")
  func deep() throws {
    let sum = String(repeating: "1+", count: 30_000) + "1"
    #expect(try Self.value(of: sum) == 30_001)
    let product = String(repeating: "1*", count: 30_000) + "2"
    #expect(try Self.value(of: product) == 2)
    let defaults = String(repeating: "input.x??", count: 7_000) + "3"
    #expect(try Self.value(of: defaults) == 3)
    #expect(try Self.value(of: String(repeating: "-", count: 60_000) + "1") == 1)
    #expect(try Self.value(of: String(repeating: "true==true||", count: 5_000) + "1==1") == true)
    for opening in ["(", "!(", "upper(", "1+(", "input.x??("] {
      #expect(throws: (any Error).self) { try Self.value(of: String(repeating: opening, count: 8_000)) }
    }
  }
}
