import Foundation
import HTTP
import JSON
import TestSupport
import Testing

@testable import Server

/// The commands of `docs/rest.md` are understood by the server.
@Suite(.timeLimit(.minutes(15)), .inTurn)
struct GuideTests {
  /// The part of a curl command that the guide uses.
  struct Command: CustomTestStringConvertible, Sendable {
    var method = "GET"
    var target = ""
    var headers: HTTPHeaders = [:]
    var body = ""
    var testDescription: String { "\(method) \(target)" }

    init(_ words: [String]) throws {
      var rest = words[...]
      while let word = rest.popFirst() {
        switch word {
        case "-s": break
        case "--json":
          method = "POST"
          headers["Content-Type"] = "application/json"
          body = rest.popFirst() ?? ""
          if body.hasPrefix("@") {
            body = try String(contentsOf: APIDescription.root.appending(path: body.dropFirst()), encoding: .utf8)
          }
        case "-H":
          let field = (rest.popFirst() ?? "").split(separator: ":", maxSplits: 1)
          headers[String(field[0])] = field[1].trimmingCharacters(in: .whitespaces)
        default:
          let origin = "http://localhost:8080"
          guard word.hasPrefix(origin) else { return }
          target = String(word.dropFirst(origin.count))
        }
      }
    }
  }

  static func commands() throws -> [Command] {
    let text = try String(contentsOf: APIDescription.root.appending(path: "docs/rest.md"), encoding: .utf8)
    let blocks = text.components(separatedBy: "```sh\n").dropFirst().map { $0.components(separatedBy: "\n```")[0] }
    return try blocks.flatMap { block in
      try block.replacing("\\\n", with: " ").components(separatedBy: "curl ").dropFirst().map { text in
        try Command(words(of: text))
      }
    }
  }

  /// Splits as a shell would, up to the end of the command.
  private static func words(of text: String) -> [String] {
    var words: [String] = []
    var word = ""
    var quote: Character?
    for character in text {
      switch character {
      case quote: quote = nil
      case "'" where quote == nil, "\"" where quote == nil: quote = character
      case "\n" where quote == nil, "|" where quote == nil, ")" where quote == nil:
        return words + (word.isEmpty ? [] : [word])
      case " " where quote == nil:
        if !word.isEmpty { words.append(word) }
        word = ""
      default: word.append(character)
      }
    }
    return words + (word.isEmpty ? [] : [word])
  }

  @Test func itsCommandsAreUnderstood() async throws {
    let commands = try Self.commands()
    #expect(commands.count >= 17)
    try await TestAPI.run(kafka: FakeKafka(), notices: FakeNotices()) { api in
      var id = ""
      for command in commands {
        let target = command.target.replacing("$id", with: id)
        let answer = try await api.send(
          command.method, target, headers: command.headers, bytes: Array(command.body.utf8))
        #expect([200, 201, 202, 409].contains(answer.status), "\(command.testDescription): \(answer.json.text())")
        if target.contains("/sagas"), let started = answer.json["id"]?.stringValue { id = started }
      }
    }
  }

  /// A page as GitHub would name its headings.
  private static func anchors(of page: String) throws -> Set<String> {
    let text = try String(contentsOf: APIDescription.root.appending(path: "docs/\(page)"), encoding: .utf8)
    return Set(
      text.split(separator: "\n").filter { $0.hasPrefix("#") }.map { line in
        let words = line.drop { $0 == "#" || $0 == " " }.lowercased()
        return String(
          words.filter { $0.isLetter || $0.isNumber || $0 == " " || $0 == "-" }.replacing(" ", with: "-"))
      })
  }

  @Test(arguments: ["rest.md", "clients.md", "cli.md", "operating.md", "kafka.md", "security.md"])
  func whatItLinksIsThere(page: String) throws {
    let text = try String(contentsOf: APIDescription.root.appending(path: "docs/\(page)"), encoding: .utf8)
    for link in text.matches(of: /\]\(([a-z][^)#:]*)?(?:#([^)]*))?\)/) {
      let target = link.1.map(String.init) ?? page
      let path = APIDescription.root.appending(path: "docs/\(target)").path
      #expect(FileManager.default.fileExists(atPath: path), "\(link.0)")
      if let heading = link.2 { #expect(try Self.anchors(of: target).contains(String(heading)), "\(link.0)") }
    }
  }
}
