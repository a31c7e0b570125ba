import JSON
import TestSupport
import Testing
import Workflows

@testable import saga

@Suite("saga query", .timeLimit(.minutes(15)), .inTurn)
struct QueryTests {
  static let document = #"{"a":[1,{"b":2.50},{"b":9007199254740993}]}"#

  @Test("prints each value that it finds on a line")
  func values() async {
    let result = await TestTool(input: [Self.document]).run("query", "$..b")
    #expect(result.output == "2.50\n9007199254740993\n")
    #expect(result.status == .success)
    let paths = await TestTool(input: [Self.document]).run("query", "$..b", "-", "--paths")
    #expect(paths.output == "$['a'][1]['b']\t2.50\n$['a'][2]['b']\t9007199254740993\n")
    let json = await TestTool(input: [Self.document]).run("query", "--json", "$.a[0]")
    #expect(json.output == #"{"nodes":[1],"paths":["$['a'][0]"]}"# + "\n")
  }

  @Test("a query that finds nothing succeeds")
  func nothing() async {
    let result = await TestTool(input: ["{}"]).run("query", "$.x")
    #expect(result.output.isEmpty)
    #expect(result.status == .success)
  }

  @Test("a condition is true or false")
  func conditions() async {
    #expect(await TestTool(input: [Self.document]).run("query", "--when", "$.a[0] == 1.0").output == "true\n")
    #expect(await TestTool(input: [Self.document]).run("query", "--when", "$.a[0] > 1").output == "false\n")
  }

  @Test("a bad selector is shown with a caret under the place")
  func caret() async {
    let result = await TestTool(input: ["{}"]).run("query", "$.a[?@.b >]")
    #expect(result.status == .failure)
    let lines = result.complaint.split(separator: "\n")
    #expect(lines[0].hasSuffix("[\(JSONPathErrorCode.syntax)]"))
    #expect(lines[1] == "  $.a[?@.b >]")
    #expect(lines[2] == "            ^")
    let when = await TestTool(input: ["{}"]).run("query", "--when", "$.a ==")
    #expect(when.complaint.contains("  $.a ==\n        ^"))
  }

  @Test("a document that is not JSON is an error with its place")
  func document() async {
    let result = await TestTool(input: ["{\n  \"a\": ,\n}"]).run("query", "$")
    #expect(result.complaint.contains("<stdin>:2:8: "))
    #expect(result.complaint.contains("see `saga help cli.inputInvalid`"))
    #expect(result.status == .failure)
  }

  @Test("wrong usage is refused", arguments: [["query"], ["query", "--batch", "$"], ["query", "$", "a", "b"]])
  func usage(_ words: [String]) async {
    let tool = TestTool(input: ["{}"])
    let result: TestTool.Result
    switch words.count {
    case 1: result = await tool.run(words[0])
    case 3: result = await tool.run(words[0], words[1], words[2])
    default: result = await tool.run(words[0], words[1], words[2], words[3])
    }
    #expect(result.status == .usage)
  }

  @Test("--batch answers every line in order, invalid lines too")
  func batch() async throws {
    let lines = [
      #"{"selector":"$[0]","document":[1.0,2]}"#,
      "",
      "nope",
      #"{"selector":7,"document":1}"#,
      #"{"selector":"$","other":1}"#,
      #"{"selector":"$[?@.a==]","document":1}"#,
      "{\"selector\":\"$\",\"document\":\"\u{2028}\u{85}é\u{301}\"}\r",
      #"{"selector":"$","document":123456789012345678901234567890}"#,
      #"{"selector":"$","document":null}"#,
    ]
    let result = await TestTool(input: [lines.joined(separator: "\n")]).run("query", "--batch")
    #expect(result.status == .success)
    let answers = result.output.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
    #expect(answers.count == lines.count)
    #expect(answers[0] == #"{"nodes":[1.0],"paths":["$[0]"]}"#)
    for index in 1...5 {
      let error = try JSON(parsing: answers[index])["error"]
      #expect(error?["code"]?.stringValue?.isEmpty == false, "\(answers[index])")
      #expect(error?["message"]?.stringValue?.isEmpty == false)
      #expect(error?["at"]?.intValue != nil)
    }
    #expect(try JSON(parsing: answers[5])["error"]?["at"] == 8)
    #expect(answers[6] == "{\"nodes\":[\"\\u2028\\u0085é\u{301}\"],\"paths\":[\"$\"]}")
    #expect(answers[7] == #"{"nodes":[123456789012345678901234567890],"paths":["$"]}"#)
    #expect(answers[8] == #"{"nodes":[null],"paths":["$"]}"#)
  }

  @Test("--batch writes an answer before it reads the next line")
  func flushed() async {
    let order = Calls()
    let terminal = Terminal(
      write: { _ = order.add("wrote \($0)") },
      complain: { _ in },
      read: {
        let count = order.add("read")
        return count < 5 ? Array("{\"selector\":\"$\",\"document\":1}\n".utf8) : nil
      }, isTerminal: false, style: .plain, errorStyle: .plain)
    let tool = CommandLineTool(
      groups: CommandLineTool.groups, terminal: terminal, environment: .fake(), variables: [:],
      send: { (_, _) async throws(APIUnreachable) in throw APIUnreachable(mayHaveArrived: false, why: "") })
    #expect(await tool.run(["query", "--batch"]) == .success)
    let answer = "wrote {\"nodes\":[1],\"paths\":[\"$\"]}\n"
    #expect(order.all == ["read", answer, "read", answer, "read"])
  }
}
