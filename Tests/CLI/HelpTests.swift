import TestSupport
import Testing

@testable import saga

@Suite("Help", .timeLimit(.minutes(15)), .inTurn)
struct HelpTests {
  static let commands = CommandLineTool.groups.flatMap(\.commands)

  @Test("fits 80 columns and shows examples that parse", arguments: commands.map(\.name))
  func widths(_ name: String) throws {
    let command = try #require(Self.commands.first { $0.name == name })
    let text = Help.text(of: command, style: .plain)
    for line in text.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
    #expect((2...3).contains(command.examples.count))
    for example in command.examples {
      // An example of the command itself, or the line that goes before or after it.
      let mine = example.line.hasPrefix("saga \(name)") || example.line.contains("saga ")
      #expect(mine, "\(example.line)")
    }
    #expect(!command.about.isEmpty)
    #expect(command.summary.first?.isLowercase == true, "\(command.summary)")
    #expect(!command.summary.hasSuffix("."))
  }

  @Test("the overview names every command, in 80 columns")
  func overview() {
    let text = Help.overview(of: CommandLineTool.groups, style: .plain)
    for line in text.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
    for command in Self.commands { #expect(text.contains("  \(command.name) ")) }
  }

  @Test("an option is described in every command that has it")
  func options() {
    for command in Self.commands {
      for option in command.options { #expect(!option.help.isEmpty, "\(command.name) --\(option.name)") }
      #expect(Set(command.options.map(\.name)).count == command.options.count, "\(command.name)")
    }
  }

  @Test("every usual spelling of a request for help prints it")
  func ways() async {
    let overview = await TestTool().run()
    #expect(overview.status == .success)
    #expect(overview.output.contains("usage: saga COMMAND"))
    for help in [
      await TestTool().run("help", "show"), await TestTool().run("show", "--help"), await TestTool().run("show", "-h"),
      await TestTool().run("show", "x", "--json", "--help"),
    ] {
      #expect(help.status == .success)
      #expect(help.output.hasPrefix("saga show: "))
    }
    #expect(await TestTool().run("help", "workflows").output.contains("usage: saga workflows register"))
  }

  @Test(
    "an unknown command is a wrong usage, with what was probably meant",
    arguments: [
      (["shwo"], "there is no command \"shwo\"; did you mean `saga show`?"),
      (["zebra"], "there is no command \"zebra\""),
      (["workflows"], "workflows wants one of: list, register, show"),
      (["workflows", "lst"], "workflows has no \"lst\"; did you mean list?"),
      (["echo", "rewnd"], "echo has no \"rewnd\"; did you mean rewind?"),
      (["help", "shwo"], "there is no command \"shwo\"; did you mean `saga show`?"),
    ])
  func unknown(_ words: [String], _ complaint: String) async {
    let result = await words.count == 1 ? TestTool().run(words[0]) : TestTool().run(words[0], words[1])
    #expect(result.status == .usage)
    #expect(result.complaint.hasPrefix("saga: \(complaint)\n"))
    #expect(result.output.isEmpty)
  }
}
