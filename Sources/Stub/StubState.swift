import HTTP
import JSON
import Values
import Workflows

/// The stub as a value: what it remembers, and what it answers to a call. It has no clock and no network.
struct StubState: Sendable {
  /// What the shell does with a call.
  struct Reply: Sendable {
    let answer: StubAnswer
    let result: CallLog.Result
    /// How long the answer waits.
    var delay: Duration?
    /// Whether the connection is closed without the answer.
    var isDropped = false
  }

  private let rules: [StubRule]
  private(set) var memory: StubMemory
  private(set) var log: CallLog

  init(_ rules: StubRules) {
    self.rules = rules.rules
    memory = StubMemory(mostKeys: rules.remember)
    log = CallLog(rules: rules.rules)
  }

  /// Decides on a call, and records it. Everything that happens, happens here: before the delay, and before an answer
  /// is lost.
  mutating func take(_ call: StubCall, at now: Timestamp) -> Reply {
    let identity: StubMemory.Identity = call.key.map { .key($0) } ?? .request("\(call.method) \(call.target)")
    memory.update(identity) { $0.calls += 1 }
    let number = memory[identity]?.calls ?? 1
    var taken: StubRule?
    let reply: Reply
    do throws(Refused) {
      let (rule, document) = try self.rule(for: call, number)
      taken = rule
      reply = try decide(call, identity, number, rule, document)
    } catch {
      taken = taken ?? error.rule
      reply = error.reply
    }
    log.note(
      CallLog.Entry(
        at: now, call: call, number: number, rule: taken?.name, result: reply.result, status: reply.answer.status,
        isDropped: reply.isDropped))
    return reply
  }

  /// An answer of the stub itself.
  private struct Refused: Error {
    let reply: Reply
    var rule: StubRule?

    init(_ result: CallLog.Result, _ status: Int, _ code: String, _ detail: String, rule: StubRule? = nil) {
      let problem = Problem(status, code, detail: detail)
      let type = StubAnswer.Field(name: "Content-Type", value: "application/problem+json")
      reply = Reply(
        answer: StubAnswer(status: status, headers: [type], body: problem.json.bytes()), result: result)
      self.rule = rule
    }
  }

  /// Returns the first rule that takes a call, and the document that its expressions read.
  private func rule(for call: StubCall, _ number: Int) throws(Refused) -> (StubRule, JSON) {
    for rule in rules where rule.method == call.method {
      guard let params = rule.path.values(in: call.segments) else { continue }
      let document = call.document(params: params, call: number)
      guard let when = rule.when else { return (rule, document) }
      do throws(ExpressionError) {
        if try when.holds(in: document) { return (rule, document) }
      } catch {
        throw Self.failed(rule, error)
      }
    }
    let others = Set(rules.filter { $0.path.values(in: call.segments) != nil }.map(\.method)).sorted()
    let hint = others.isEmpty ? "" : " Rules for this path take \(others.joined(separator: ", "))."
    throw Refused(.noRule, 501, StubErrorCode.noRule, "No rule takes \(call.method) \(call.target).\(hint)")
  }

  private static func failed(_ rule: StubRule, _ error: ExpressionError) -> Refused {
    Refused(
      .ruleFailed, 500, StubErrorCode.ruleFailed,
      "The rule “\(rule.name)” can't answer this request: \(error.message) [\(error.code)]", rule: rule)
  }

  private mutating func decide(
    _ call: StubCall, _ identity: StubMemory.Identity, _ number: Int, _ rule: StubRule, _ document: JSON
  ) throws(Refused) -> Reply {
    // 1. Calls that fail do nothing and are not remembered.
    if let failures = rule.failFirst, number <= failures.times {
      return Reply(answer: try render(failures.answer, rule, document), result: .failed)
    }
    // 2. A key that was undone before it came is refused for ever. A key that was answered has its answer.
    if call.key != nil, let record = memory[identity] {
      if record.isTombstone {
        throw Refused(
          .undoneBefore, 409, StubErrorCode.undoneBefore, "The command \(call.key ?? "") was undone before it came.")
      }
      if let answer = record.answer {
        guard record.digest == call.digest else {
          throw Refused(
            .keyReused, 422, StubErrorCode.keyReused,
            "The Idempotency-Key \(call.key ?? "") was used for another request before.")
        }
        return drop(Reply(answer: answer, result: .repeated), identity, rule)
      }
    }
    // 3. An undo needs a command that happened. When the command never came, it is refused from now on.
    if let undone = call.compensates, let reply = nothingToUndo(undone) {
      remember(reply.answer, of: call, identity)
      return reply
    }
    // 4. The work.
    let answer = try render(rule.answer, rule, document)
    guard answer.isFinal else { return Reply(answer: answer, result: .refused, delay: rule.delay) }
    remember(answer, of: call, identity)
    if answer.isSuccess, let undone = call.compensates { memory.update(.key(undone)) { $0.isUndone = true } }
    let result: CallLog.Result = answer.isSuccess ? .happened : .refused
    return drop(Reply(answer: answer, result: result, delay: rule.delay), identity, rule)
  }

  /// Returns the answer to the undo of a command that did nothing; nil when there is something to undo.
  private mutating func nothingToUndo(_ key: String) -> Reply? {
    let record = memory[.key(key)]
    if let record, record.hasHappened, !record.isUndone { return nil }
    // A command that only failed so far has left nothing. It may still be on its way.
    let neverCame = record?.answer == nil
    if neverCame { memory.update(.key(key)) { $0.isTombstone = true } }
    let detail =
      neverCame
      ? "The command \(key) never came. There is nothing to undo, and the command will be refused if it comes."
      : "There is nothing left to undo of \(key)."
    return Refused(.nothingToUndo, 404, StubErrorCode.nothingToUndo, detail).reply
  }

  private mutating func remember(_ answer: StubAnswer, of call: StubCall, _ identity: StubMemory.Identity) {
    guard call.key != nil else { return }
    memory.update(identity) { record in
      record.answer = answer
      record.digest = call.digest
    }
  }

  /// Loses the answer, if the rule loses this one.
  private mutating func drop(_ reply: Reply, _ identity: StubMemory.Identity, _ rule: StubRule) -> Reply {
    guard (memory[identity]?.drops ?? 0) < rule.dropFirst else { return reply }
    memory.update(identity) { $0.drops += 1 }
    var reply = reply
    reply.isDropped = true
    return reply
  }

  private func render(
    _ template: AnswerTemplate, _ rule: StubRule, _ document: JSON
  ) throws(Refused) -> StubAnswer {
    do throws(ExpressionError) {
      let answer = try template.render(in: document)
      guard let header = answer.headers.first(where: { !$0.value.isHTTPFieldValue }) else { return answer }
      throw ExpressionError(
        code: WorkflowErrorCode.expressionNotHeader,
        message: "the header \(header.name) comes out with a control character", query: header.name)
    } catch {
      throw Self.failed(rule, error)
    }
  }
}
