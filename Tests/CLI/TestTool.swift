import JSON
import Runtime
import Synchronization
import TestSupport
import Values

@testable import saga

/// Runs the command line in this process, and records its input, output and requests.
final class TestTool: Sendable {
  struct Result {
    let status: ExitStatus
    let output: String
    let complaint: String
  }
  private struct State {
    var output = ""
    var complaint = ""
    var input: [[UInt8]]
    var requests: [(url: String, request: APIRequest)] = []
    var answers: [APIAnswer]
  }
  private let state: Mutex<State>

  /// - Parameters:
  ///   - input: what standard input gives, piece by piece.
  ///   - answers: what the engine answers, one a request; when they are used up, no request is answered.
  init(input: [String] = [], answers: [APIAnswer] = []) {
    state = Mutex(State(input: input.map { Array($0.utf8) }, answers: answers))
  }

  /// The time of the tool.
  let clock = FakeClock(Golden.now)

  var requests: [(url: String, request: APIRequest)] { state.withLock { $0.requests } }

  func run(_ words: String..., variables: [String: String] = [:]) async -> Result {
    await run(words, variables: variables)
  }

  func run(_ words: [String], variables: [String: String] = [:]) async -> Result {
    let terminal = Terminal(
      write: { text in self.state.withLock { $0.output += text } },
      complain: { text in self.state.withLock { $0.complaint += text } },
      read: { self.state.withLock { $0.input.isEmpty ? nil : $0.input.removeFirst() } },
      isTerminal: false, style: .plain, errorStyle: .plain)
    let send: APIClient.Send = { (url, request) async throws(APIUnreachable) in
      let answer = self.state.withLock { state -> APIAnswer? in
        state.requests.append((url, request))
        return state.answers.isEmpty ? nil : state.answers.removeFirst()
      }
      guard let answer else { throw APIUnreachable(mayHaveArrived: false, why: "connection refused") }
      return answer
    }
    let tool = CommandLineTool(
      groups: CommandLineTool.groups, terminal: terminal, environment: .fake(clock: clock),
      variables: variables, send: send)
    let status = await tool.run(words)
    return state.withLock { Result(status: status, output: $0.output, complaint: $0.complaint) }
  }
}

extension APIAnswer {
  static func json(_ json: JSON, status: Int = 200) -> APIAnswer { APIAnswer(status: status, body: json.bytes()) }
}

extension APIRequest {
  func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
  var json: JSON? { body.flatMap { try? JSON(parsing: $0) } }
}
