import TestSupport
import Testing
import Values

@testable import saga

@Suite("The arguments of a command", .timeLimit(.minutes(15)), .inTurn)
struct ArgumentTests {
  private let command = CommandSpec(
    "draw", summary: "", about: [],
    operands: [OperandSpec("FILE", help: "what to draw"), OperandSpec("MORE", .anyNumber, help: "")],
    options: [
      OptionSpec("colour", formerly: "paint", value: "NAME", help: "what it has"),
      OptionSpec("tag", value: "TAG", repeats: true, help: ""),
      OptionSpec("json", formerly: "js", help: ""),
    ],
    examples: []
  ) { _ in .success }

  private func parse(_ words: String...) throws -> ParsedArguments { try ParsedArguments(words, for: command) }
  private func refusal(_ words: String...) -> String {
    do {
      _ = try ParsedArguments(words, for: command)
      return "taken"
    } catch {
      return error.message
    }
  }

  @Test("a value follows behind a space or an equals sign")
  func values() throws {
    #expect(try parse("a", "--colour", "red").value("colour") == "red")
    #expect(try parse("--colour=red", "a").value("colour") == "red")
    #expect(try parse("--colour=", "a").value("colour") == "")
    #expect(try parse("--colour==x=y", "a").value("colour") == "=x=y")
    #expect(try parse("a", "--colour=--json").value("colour") == "--json")
    #expect(try parse("a", "--colour", "-").value("colour") == "-")
    #expect(try parse("a", "--colour", "-5").value("colour") == "-5")
  }

  @Test("options and operands come in any order, and repeat where they may")
  func order() throws {
    let parsed = try parse("--tag", "x", "a", "--json", "b", "--tag=y", "-")
    #expect(parsed.operands == ["a", "b", "-"])
    #expect(parsed.values("tag") == ["x", "y"])
    #expect(parsed.has("json"))
    #expect(!parsed.has("tag"))
  }

  @Test("an older name of an option is the same option, and the help says so")
  func olderNames() throws {
    #expect(try parse("a", "--paint", "red") == parse("a", "--colour", "red"))
    #expect(try parse("a", "--paint=red").value("colour") == "red")
    #expect(try parse("a", "--js").has("json"))
    #expect(refusal("a", "--colour", "red", "--paint", "red") == "--paint was given twice")
    #expect(refusal("a", "--paint") == "--paint wants a value: --paint NAME")
    #expect(refusal("a", "--js=1") == "--js takes no value")
    #expect(Help.text(of: command, style: .plain).contains("--colour NAME  what it has (older name: --paint)"))
  }

  @Test("words after -- are not options")
  func terminator() throws {
    #expect(try parse("--", "--json", "-x").operands == ["--json", "-x"])
    #expect(try parse("a", "--", "--").operands == ["a", "--"])
  }

  @Test("an invalid argument is refused, with the argument that was probably meant")
  func refusals() {
    #expect(refusal("a", "--colr", "red") == "draw has no option --colr; did you mean --colour?")
    #expect(refusal("a", "--zebra") == "draw has no option --zebra")
    #expect(refusal("a", "--colour") == "--colour wants a value: --colour NAME")
    #expect(refusal("a", "--colour", "--json") == "--colour wants a value: --colour NAME")
    #expect(refusal("a", "--json=yes") == "--json takes no value")
    #expect(refusal("a", "--colour=a", "--colour=b") == "--colour was given twice")
    #expect(refusal("a", "-j") == "there is no option -j; options have two hyphens, as --json")
    #expect(refusal() == "draw wants FILE: what to draw")
    #expect(refusal("a", "--") == "taken")
  }

  @Test(
    "the nearest name is the one that was probably meant",
    arguments: [
      ("shwo", "show"), ("lst", "list"), ("evnets", "events"), ("STATUS", "status"), ("work", "workflows"),
    ])
  func near(_ typed: String, _ meant: String) {
    #expect(
      NearNames.nearest(to: typed, among: ["show", "list", "events", "status", "workflows", "start"], completes: true)
        == meant)
  }

  @Test("a word that is far from every name has no nearest name")
  func far() { #expect(NearNames.nearest(to: "zebra", among: ["show", "list", "events"], completes: true) == nil) }
}

@Suite("Text in columns", .timeLimit(.minutes(15)), .inTurn)
struct LayoutTests {
  @Test("breaks at spaces, and inside a word only when it must")
  func wrap() {
    #expect(Layout.wrap("one two three", width: 8) == ["one two", "three"])
    #expect(Layout.wrap("abcdefghijk", width: 8) == ["abcdefgh", "ijk"])
    #expect(Layout.wrap("a abcdefghijk b", width: 8) == ["a", "abcdefgh", "ijk b"])
    #expect(Layout.wrap("", width: 8) == [""])
    #expect(Layout.wrap("a\nb", width: 8) == ["a", "b"])
  }

  @Test(
    "lines are split however the bytes come", arguments: [["a\nb\n"], ["a", "\n", "b"], ["a\nb"], ["", "a\n", "b\n"]])
  func lines(_ pieces: [String]) {
    let tool = pieces.map { Array($0.utf8) }
    nonisolated(unsafe) var rest = tool[...]
    // Read by this test alone, one piece after the other.
    var lines = ByteLines { rest.popFirst() }
    var found: [String] = []
    while let line = lines.next() { found.append(String(decoding: line, as: UTF8.self)) }
    #expect(found == ["a", "b"])
  }

  @Test(
    "durations",
    arguments: [
      (0, "0ms"), (999, "999ms"), (1_000, "1s"), (1_250, "1.2s"), (61_000, "1m 01s"), (3_600_000, "1h 00m"),
      (90_000_000, "1d 01h"), (-5, "0ms"),
    ])
  func durations(_ milliseconds: Int, _ text: String) {
    #expect(TimeText.duration(.milliseconds(milliseconds)) == text)
  }

  @Test("words for a shell")
  func shell() {
    #expect(Shell.quoted("approval") == "approval")
    #expect(Shell.quoted("two words") == "'two words'")
    #expect(Shell.quoted("it's") == "'it'\\''s'")
    #expect(Shell.quoted("") == "''")
  }
}
