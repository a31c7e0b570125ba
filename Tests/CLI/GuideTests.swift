import Foundation
import TestSupport
import Testing

@testable import saga

@Suite("Completion of shells", .timeLimit(.minutes(15)), .inTurn)
struct CompletionTests {
  private static let places = CompletionPlace.all(of: CommandLineTool.groups)

  /// Runs a shell, when this machine has it; nil otherwise.
  private func run(_ shell: String, _ words: [String], script: String) async throws -> String? {
    let paths = ["/bin/\(shell)", "/usr/bin/\(shell)", "/usr/local/bin/\(shell)", "/opt/homebrew/bin/\(shell)"]
    guard let path = paths.first(where: FileManager.default.isExecutableFile) else { return nil }
    let result = try await TestProcess.run(path, words, input: Array(script.utf8))
    let output = String(decoding: result.bytes, as: UTF8.self)
    #expect(result.status == 0, "\(output)")
    return output
  }

  /// Returns what bash offers behind these words, the last of which is being typed.
  private func bash(_ words: String...) async throws -> [String] {
    let script =
      BashCompletion.script(for: Self.places) + """
        compopt() { :; }
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _saga
        ((${#COMPREPLY[@]} == 0)) || printf '%s\\n' "${COMPREPLY[@]}"
        """
    let output = try #require(
      try await run("bash", ["--norc", "-s", "--", "saga"] + words, script: script), "the tests need bash")
    return output.split(separator: "\n").map(String.init)
  }

  @Test("bash is offered commands, and the rest of a name of two words")
  func names() async throws {
    #expect(try await bash("sh") == ["show"])
    #expect(try await bash("ops", "r") == ["run"])
    #expect(try await bash("help", "ops", "app") == ["approve"])
    #expect(try await bash("") == Self.places[0].next.map(\.word))
  }

  @Test("bash is offered options, values that are words, and operands that are words")
  func values() async throws {
    #expect(try await bash("list", "--stu") == ["--stuck"])
    #expect(try await bash("list", "--since") == ["--since"])
    #expect(try await bash("list", "--status", "s") == ["stuck"])
    #expect(try await bash("list", "--status", "=", "s") == ["stuck"], "bash makes three words of --status=s")
    #expect(try await bash("list", "--status=s") == ["--status=stuck"])
    #expect(try await bash("list", "--status", "stuck,ru") == ["stuck,running"])
    #expect(try await bash("list", "--json", "--sort", "-u") == ["-updatedAt"])
    #expect(try await bash("ops", "run", "ab") == ["abandon"])
    #expect(try await bash("completion", "") == ["bash", "zsh", "fish"])
  }

  @Test("bash is offered files where a file is meant, and nothing for a key")
  func files() async throws {
    let file = try TestFolder.new("completion").appending(path: "a workflow.json")
    try Data().write(to: file)
    let beginning = String(file.path.dropLast(5))
    #expect(try await bash("check", beginning) == [file.path])
    #expect(try await bash("check", "--input", beginning) == [file.path])
    #expect(try await bash("list", "--key", beginning) == [])
  }

  @Test(
    "every command has a place with all its options, and values that are one word for a shell",
    arguments: CommandLineTool.groups.flatMap(\.commands).map(\.name))
  func options(_ name: String) async throws {
    let command = try #require(CommandLineTool.groups.flatMap(\.commands).first { $0.name == name })
    let place = try #require(Self.places.first { $0.route == name })
    #expect(place.options.map(\.name) == command.options.map(\.name))
    for option in command.options where !option.words.isEmpty {
      #expect(option.words.allSatisfy { !$0.contains(" ") }, "a word of --\(option.name) would be two in a shell")
      #expect(CompletionPlace.value(of: option) == .words(option.words))
    }
  }

  @Test("zsh and fish can read their scripts, where they are installed", arguments: CompletedShell.allCases)
  func syntax(_ shell: CompletedShell) async throws {
    let script = shell.script(for: Self.places)
    let complaints = try await run(shell.rawValue, ["-n"], script: script)
    #expect(complaints ?? "" == "")
    for place in Self.places { #expect(script.contains("'\(place.route)'"), "\(shell): \(place.route)") }
    #expect(script.contains("undoFailed") && script.contains("backingOff"))
  }

  @Test("fish offers a value, where it is installed")
  func fish() async throws {
    let script =
      FishCompletion.script(for: Self.places) + "complete -C 'saga list --status st'\ncomplete -C 'saga ops r'\n"
    guard let output = try await run("fish", ["--no-config"], script: script) else { return }
    #expect(output.split(separator: "\n").map { $0.split(separator: "\t")[0] } == ["stuck", "run"])
  }

  @Test("an unknown shell is a wrong usage")
  func unknown() async {
    let result = await TestTool().run("completion", "csh")
    #expect(result.status == .usage)
    #expect(result.complaint.hasPrefix("saga: completion knows bash, zsh and fish, not \"csh\""))
  }
}

@Suite("Pages for man", .timeLimit(.minutes(15)), .inTurn)
struct ManualTests {
  private static let commands = CommandLineTool.groups.flatMap(\.commands)

  /// Every page with its name.
  private static let pages =
    [("saga", Manual.overview(of: CommandLineTool.groups))]
    + commands.map { (Manual.page(of: $0), Manual.text(of: $0)) }

  @Test("groff draws every page without a warning, where it is installed")
  func groff() async throws {
    guard FileManager.default.isExecutableFile(atPath: "/usr/bin/groff") else { return }
    for (name, page) in Self.pages {
      // Warnings would be among the output.
      let drawn = try await TestProcess.run(
        "/usr/bin/groff", ["-ww", "-man", "-Tascii", "-P-cbou"], input: Array(page.utf8))
      let text = String(decoding: drawn.bytes, as: UTF8.self)
      #expect(drawn.status == 0 && !text.contains("<standard input>"), "\(name): \(text)")
      #expect(text.contains("\nNAME\n       \(name) - "), "\(text.prefix(400))")
    }
  }

  @Test("A page has its sections, every option, and no character that roff reads otherwise")
  func structure() {
    for (command, (_, page)) in zip(Self.commands, Self.pages.dropFirst()) {
      for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "EXAMPLES", "EXIT STATUS", "SEE ALSO"] {
        #expect(page.contains("\n.SH \(section)\n"), "\(command.name): \(section)")
      }
      for option in command.options {
        #expect(page.contains("\n\\fB\(Manual.text("--" + option.name))\\fR"), "\(command.name) --\(option.name)")
      }
      #expect(page.utf8.allSatisfy { $0 < 128 }, "\(command.name)")
      #expect(!page.dropFirst(40).contains("`"), "\(command.name)")
    }
  }

  @Test("Characters that roff reads as its own are shown as they are")
  func escapes() {
    #expect(Manual.text(".SH -x '\"\\`a-b`…é") == "\\&.SH \\-x \\(aq\\(dq\\e\\fBa\\-b\\fR...\\[u00E9]")
  }

  @Test("man prints the page of saga, of a command, and writes all pages to a folder")
  func command() async throws {
    let overview = await TestTool().run("man")
    #expect(overview.output.contains("\n.SH COMMANDS\n"))
    let page = await TestTool().run("man", "ops", "run")
    #expect(page.output.contains(".TH \"SAGA\\-OPS\\-RUN\" \"1\""))
    let folder = try TestFolder.new("man").appending(path: "man1").path
    let all = await TestTool().run("man", "--output", folder)
    #expect(all.output == "\(folder): \(Self.pages.count) pages\n", "\(all.complaint)")
    for (name, page) in Self.pages {
      let written = try String(contentsOfFile: "\(folder)/\(name).1", encoding: .utf8)
      #expect(written == page, "\(name)")
    }
    let unknown = await TestTool().run("man", "shwo")
    #expect(unknown.status == .usage)
    #expect(unknown.complaint.contains("there is no command \"shwo\"; did you mean show?"))
  }
}
