import Synchronization
import TestSupport
import Testing

@testable import Messaging

@Suite("Answers that are requested once", .timeLimit(.minutes(15)), .inTurn)
struct KeptAnswersTests {
  private static let lost = RegistryError(code: "schema.registryUnavailable", message: "lost")

  /// A request that the test answers.
  private final class Question: Sendable {
    private struct State {
      var asked = 0
      var cancelled = 0
      var open: [CheckedContinuation<Result<String, RegistryError>, Never>] = []
    }
    private let state = Mutex(State())
    var asked: Int { state.withLock { $0.asked } }
    var cancelled: Int { state.withLock { $0.cancelled } }

    func ask() async -> Result<String, RegistryError> {
      await withTaskCancellationHandler {
        await withCheckedContinuation { continuation in
          state.withLock { state in
            state.asked += 1
            state.open.append(continuation)
          }
        }
      } onCancel: {
        state.withLock { $0.cancelled += 1 }
        answer(.failure(KeptAnswersTests.lost))
      }
    }

    func answer(_ result: Result<String, RegistryError>) {
      let open = state.withLock { state in
        defer { state.open = [] }
        return state.open
      }
      for continuation in open { continuation.resume(returning: result) }
    }

    func isAsked(_ times: Int) async throws {
      try await eventually("the question is asked \(times) times", every: .milliseconds(1)) { asked >= times }
    }
  }

  private let answers = KeptAnswers<Int, String>()
  private let question = Question()

  private func asking(_ key: Int = 1) -> Task<Result<String, RegistryError>, Never> {
    Task { [answers, question] in
      do throws(RegistryError) {
        return .success(try await answers.value(key) { await question.ask() })
      } catch {
        return .failure(error)
      }
    }
  }

  private func wait(for count: Int, key: Int = 1) async throws {
    try await eventually("\(count) callers wait", every: .milliseconds(1)) { answers.waiting(for: key) == count }
  }

  @Test("All waiting callers get the same answer, and it is stored")
  func together() async throws {
    let tasks = (1...5).map { _ in asking() }
    try await wait(for: 5)
    try await question.isAsked(1)
    question.answer(.success("a"))
    for task in tasks { #expect(await task.value == .success("a")) }
    #expect(await asking().value == .success("a"))
    #expect(question.asked == 1)
  }

  @Test("All waiting callers get a failure, and it isn't stored")
  func failure() async throws {
    let tasks = (1...3).map { _ in asking() }
    try await wait(for: 3)
    try await question.isAsked(1)
    question.answer(.failure(Self.lost))
    for task in tasks { #expect(await task.value == .failure(Self.lost)) }
    let again = asking()
    try await question.isAsked(2)
    question.answer(.success("b"))
    #expect(await again.value == .success("b"))
  }

  @Test("A cancelled caller stops waiting at once; the others continue")
  func oneLeaves() async throws {
    let leaving = asking()
    let staying = asking()
    try await wait(for: 2)
    leaving.cancel()
    #expect(await leaving.value.failure?.code == "schema.registryUnavailable")
    #expect(question.cancelled == 0)
    try await question.isAsked(1)
    question.answer(.success("a"))
    #expect(await staying.value == .success("a"))
  }

  @Test("When all callers are cancelled, so is the request, and the next caller makes a new one")
  func allLeave() async throws {
    let leaving = asking()
    try await wait(for: 1)
    try await question.isAsked(1)
    leaving.cancel()
    #expect(await leaving.value.failure != nil)
    try await eventually("the request is cancelled", every: .milliseconds(1)) { question.cancelled == 1 }
    let next = asking()
    try await question.isAsked(2)
    question.answer(.success("b"))
    #expect(await next.value == .success("b"))
  }

  @Test("Requests for different keys don't wait for each other")
  func apart() async throws {
    let one = asking(1)
    let two = asking(2)
    try await question.isAsked(2)
    question.answer(.success("x"))
    #expect(await one.value == .success("x"))
    #expect(await two.value == .success("x"))
    #expect(question.asked == 2)
  }
}

extension Result {
  fileprivate var failure: Failure? { if case .failure(let error) = self { error } else { nil } }
}
