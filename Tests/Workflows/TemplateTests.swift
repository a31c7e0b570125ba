import JSON
import TestSupport
import Testing
import Values

@testable import Workflows

@Suite("Templates", .timeLimit(.minutes(15)), .inTurn)
struct TemplateTests {
  static let document: JSON = [
    "input": [
      "barcode": "GX-0815/7", "volume": 2.50, "big": 9_007_199_254_740_993, "urgent": true, "nothing": .null,
      "tubes": [["id": "a}b"], ["id": "c"]], "odd name": "x", "é": "accent", "dots": "..", "empty": "",
      "lines": "a\r\nb", "brace}": 7,
    ],
    "steps": ["create": ["uuid": "u-1", "output": [["id": 5]]]],
  ]

  @Test(
    "A template becomes the value that its queries select",
    arguments: [
      ("plain", "plain"), ("", ""), ("${input.barcode}", "GX-0815/7"), ("${$.input.barcode}", "GX-0815/7"),
      ("${ input.barcode }", "GX-0815/7"), ("${input.urgent}", true), ("${input.nothing}", .null),
      ("${input.volume}", 2.5), ("${input.big}", 9_007_199_254_740_993), ("n=${input.big}", "n=9007199254740993"),
      ("${steps.create.output[0].id}", 5), ("${['input']['odd name']}", "x"), ("${input['odd name']}", "x"),
      ("${input.tubes[0]}", ["id": "a}b"]), ("${input.tubes[?@.id == 'a}b'].id}", "a}b"),
      ("${input[\"brace}\"]}", 7), ("${input.é}", "accent"),
      ("tube ${input.barcode}, ${input.urgent}", "tube GX-0815/7, true"),
      ("$${input.barcode}", "${input.barcode}"), ("$$${input.barcode}", "$${input.barcode}"), ("$", "$"), ("$$", "$$"),
      ("costs 5$ {x}", "costs 5$ {x}"), ("a}b", "a}b"), ("${input.urgent}${input.urgent}", "truetrue"),
      (["a": ["${input.urgent}", 1], "${input.x}": "b"], ["a": [true, 1], "${input.x}": "b"]),
    ] as [(JSON, JSON)])
  func render(template: JSON, result: JSON) throws {
    #expect(try Template(template).render(in: Self.document) == result)
  }

  @Test(
    "A template that cannot be filled in fails with its code",
    arguments: [
      ("${input.missing}", "expression.empty"), ("x ${input.missing}", "expression.empty"),
      ("${input.tubes[*].id}", "expression.many"), ("x ${input.nothing}", "expression.notText"),
      ("x ${input.tubes}", "expression.notText"), ("x ${input}", "expression.notText"),
    ])
  func fail(template: String, code: String) throws {
    let template = try Template(.string(template))
    let error = #expect(throws: ExpressionError.self) { try template.render(in: Self.document) }
    #expect(error?.code == code)
  }

  @Test(
    "A template that is not valid is refused with its code and offset",
    arguments: [
      ("${input.x", "template.unclosed", 0), ("ab ${input['x}", "template.unclosed", 3), ("${}", "template.empty", 2),
      ("a ${  }", "template.empty", 6), ("ab ${input.}", "jsonpath.syntax", 11),
      ("${input.x y}", "jsonpath.syntax", 10),
      ("${$.a[?}", "jsonpath.syntax", 7),
    ])
  func refuse(text: String, code: String, offset: Int) {
    let error = #expect(throws: TemplateError.self) { try Template(["a": [.string(text)]]) }
    #expect(error?.code == code)
    #expect(error?.offset == offset)
    #expect(error?.pointer.description == "/a/0")
  }

  @Test("Deep templates are refused, not recursed into")
  func depth() {
    var json: JSON = "x"
    for _ in 0...Template.maxDepth { json = [json] }
    let error = #expect(throws: TemplateError.self) { try Template(json) }
    #expect(error?.code == "template.tooDeep")
  }

  @Test("A template lists all its queries")
  func queries() throws {
    let template = try Template(["a": "${input.x} and ${steps.b.uuid}", "c": ["${$.saga.id}"]])
    #expect(template.referencedQueries.map(\.text) == ["input.x", "steps.b.uuid", "$.saga.id"])
  }

  @Test(
    "A value in a path stays within its segment",
    arguments: [
      ("/tubes/${input.barcode}", "/tubes/GX-0815%2F7"), ("/x/${input.é}/y", "/x/accent/y"),
      ("/v/${input.volume}", "/v/2.5"), ("/a%20b/${input.urgent}", "/a%20b/true"),
      ("/q/${input['odd name']}${input.dots}", "/q/x.."),
    ])
  func path(text: String, path: String) throws {
    #expect(try TextTemplate(text).render(in: Self.document, encoding: .pathSegment) == path)
  }

  @Test(
    "A value that would lead to another path is refused",
    arguments: [
      "/tubes/${input.dots}", "/tubes/${input.dots}/x", "/tubes/${input.empty}", "/t/${input.empty}/validation",
    ])
  func pathRefused(text: String) throws {
    let template = try TextTemplate(text)
    let error = #expect(throws: ExpressionError.self) {
      try template.render(in: Self.document, encoding: .pathSegment)
    }
    #expect(error?.code == "expression.notSegment")
  }

  @Test("A path segment that becomes “.” or “..” is refused, however its parts combine")
  func dotsTogether() throws {
    let document: JSON = ["input": ["dot": "."]]
    for text in ["/a/${input.dot}${input.dot}/b", "/a/.${input.dot}", "/a/%2e${input.dot}"] {
      let template = try TextTemplate(text)
      #expect(throws: ExpressionError.self) { try template.render(in: document, encoding: .pathSegment) }
    }
  }

  @Test("A header's value has no line break")
  func header() throws {
    let template = try TextTemplate("x ${input.lines}")
    let error = #expect(throws: ExpressionError.self) {
      try template.render(in: Self.document, encoding: .headerValue)
    }
    #expect(error?.code == "expression.notHeader")
    #expect(try template.render(in: Self.document) == "x a\r\nb")
  }

  @Test("Percent-encoding keeps only the unreserved characters")
  func percent() {
    #expect(PercentEncoding.segment("aZ09-._~") == "aZ09-._~")
    #expect(PercentEncoding.segment("a/b?c#d%e é\u{0}") == "a%2Fb%3Fc%23d%25e%20%C3%A9%00")
  }
}
