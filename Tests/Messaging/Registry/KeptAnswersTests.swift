import Synchronization
import Testing

@testable import Messaging

@Suite("Answers that are asked for once")
struct KeptAnswersTests {
  private static let lost = RegistryError(code: "schema.registryUnavailable", message: "lost")

  /// A question that is answered when the test says so.
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

    func isAsked(_ times: Int) async { while asked < times { await Task.yield() } }
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

  private func wait(for count: Int, key: Int = 1) async {
    while answers.waiting(for: key) != count { await Task.yield() }
  }

  @Test("Everybody who waits gets the one answer, and it is kept")
  func together() async {
    let tasks = (1...5).map { _ in asking() }
    await wait(for: 5)
    await question.isAsked(1)
    question.answer(.success("a"))
    for task in tasks { #expect(await task.value == .success("a")) }
    #expect(await asking().value == .success("a"))
    #expect(question.asked == 1)
  }

  @Test("A failure goes to everybody, and isn't kept")
  func failure() async {
    let tasks = (1...3).map { _ in asking() }
    await wait(for: 3)
    await question.isAsked(1)
    question.answer(.failure(Self.lost))
    for task in tasks { #expect(await task.value == .failure(Self.lost)) }
    let again = asking()
    await question.isAsked(2)
    question.answer(.success("b"))
    #expect(await again.value == .success("b"))
  }

  @Test("Who is cancelled stops waiting at once; the others don't")
  func oneLeaves() async {
    let leaving = asking()
    let staying = asking()
    await wait(for: 2)
    leaving.cancel()
    #expect(await leaving.value.failure?.code == "schema.registryUnavailable")
    #expect(question.cancelled == 0)
    await question.isAsked(1)
    question.answer(.success("a"))
    #expect(await staying.value == .success("a"))
  }

  @Test("When nobody is left, the asking is cancelled, and the next one asks anew")
  func allLeave() async {
    let leaving = asking()
    await wait(for: 1)
    await question.isAsked(1)
    leaving.cancel()
    #expect(await leaving.value.failure != nil)
    while question.cancelled < 1 { await Task.yield() }
    let next = asking()
    await question.isAsked(2)
    question.answer(.success("b"))
    #expect(await next.value == .success("b"))
  }

  @Test("Keys don't wait for each other")
  func apart() async {
    let one = asking(1)
    let two = asking(2)
    await question.isAsked(2)
    question.answer(.success("x"))
    #expect(await one.value == .success("x"))
    #expect(await two.value == .success("x"))
    #expect(question.asked == 2)
  }
}

extension Result {
  fileprivate var failure: Failure? { if case .failure(let error) = self { error } else { nil } }
}
