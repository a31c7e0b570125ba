import JSON
import SagaCore
import Values
import Workflows

/// Compares the calls that were sent with those that a case expects.
struct CallCheck {
  let run: VirtualRun
  /// What the expressions of the case read.
  let document: JSON

  func differences(_ expected: Expectation) -> [Difference] {
    var differences = inOrder(expected.sent, "sent", among: run.calls)
    for item in expected.sentBySteps {
      let what = "sent.\(item.step)"
      let calls = run.calls.filter { Self.isCall($0, of: item.step) }
      let count = calls.count { $0.call.phase == .forward }
      if let expected = item.count, expected != count {
        differences.append(Difference(what, expected: Self.calls(expected), seen: Self.calls(count)))
      }
      differences += inOrder(item.calls, what, among: calls)
    }
    return differences
  }

  /// Returns whether it is a call of a step, of an item, or of any item of a step.
  private static func isCall(_ sent: SentCall, of step: String) -> Bool {
    sent.call.step == step || ItemID.step(of: sent.call.step) == step
  }

  private static func calls(_ count: Int) -> String { count == 1 ? "1 call" : "\(count) calls" }

  /// Finds the expected calls in their order. Other calls may come between them.
  private func inOrder(_ expected: [CallExpectation], _ what: String, among calls: [SentCall]) -> [Difference] {
    var rest = calls[...]
    for (index, call) in expected.enumerated() {
      if let found = rest.firstIndex(where: { mismatches(call, $0).isEmpty }) {
        rest = rest[(found + 1)...]
        continue
      }
      let name = expected.count == 1 && what != "sent" ? what : "\(what)[\(index)]"
      return [missing(call, name, rest: rest, all: calls)]
    }
    return []
  }

  private func missing(
    _ expected: CallExpectation, _ what: String, rest: ArraySlice<SentCall>, all: [SentCall]
  ) -> Difference {
    let wanted = "a call of \(expected.isUndo ? "the undo of " : "")\(expected.step)"
    // The nearest call is the one of the step with the fewest differences.
    let near = rest.filter { isSameStep(expected, $0) }.map { ($0, mismatches(expected, $0)) }
      .min { $0.1.count < $1.1.count }
    if let near {
      return Difference(what, expected: wanted, seen: "a call that differs", details: near.1)
    }
    let isEarlier = all.contains { mismatches(expected, $0).isEmpty }
    return Difference(
      what, expected: wanted, seen: isEarlier ? "the call was sent, but earlier" : "no such call",
      details: rest.isEmpty && all.isEmpty ? ["the saga sent no calls"] : [])
  }

  private func isSameStep(_ expected: CallExpectation, _ sent: SentCall) -> Bool {
    Self.isCall(sent, of: expected.step) && (sent.call.phase == .undo) == expected.isUndo
  }

  /// Returns what differs between a call and an expected one.
  private func mismatches(_ expected: CallExpectation, _ sent: SentCall) -> [String] {
    guard isSameStep(expected, sent) else { return ["step: \(sent.call.step)"] }
    var found: [String] = []
    func compare(_ what: String, _ expected: String?, _ seen: String?) {
      guard let expected, expected != seen else { return }
      found.append("\(what): expected \(expected), seen \(seen ?? "none")")
    }
    func compare(_ what: String, _ template: TextTemplate?, _ seen: String?, _ encoding: TextTemplate.Encoding) {
      guard let template else { return }
      do {
        compare(what, try template.renderRequired(in: document, encoding: encoding), seen)
      } catch {
        found.append("\(what): \(template.source) can't be computed: \(error.message) [\(error.code)]")
      }
    }
    compare("attempt", expected.attempt.map { "\($0)" }, "\(sent.call.attempt)")
    compare("key", expected.key, sent.call.idempotencyKey, .none)
    compare("at", expected.at.map(DurationWords.text), DurationWords.text(sent.at - run.state.startedAt))
    switch sent.call.action {
    case .http(let http):
      compare("service", expected.service, http.service)
      compare("method", expected.method, http.method)
      compare("path", expected.path, http.path, .pathSegment)
      compare("command", expected.command, nil)
      compare("queue", expected.queue, nil)
      for field in expected.query {
        compare("query \(field.name)", field.value, http.query.first { $0.name == field.name }?.value, .none)
      }
      for field in expected.headers {
        compare("header \(field.name)", field.value, header(field.name, http.headers), .none)
      }
      compareBody(expected, http.body, &found)
    case .kafka(let kafka):
      compare("service", expected.service, kafka.service)
      compare("command", expected.command, kafka.command)
      compare("queue", expected.queue, nil)
      compare("method", expected.method, nil)
      compare("path", expected.path?.source, nil)
      for field in expected.headers {
        compare("header \(field.name)", field.value, header(field.name, kafka.headers), .none)
      }
      compareBody(expected, kafka.body, &found)
    case .task(let task):
      compare("queue", expected.queue, task.queue)
      compare("service", expected.service, nil)
      compare("command", expected.command, nil)
      compare("method", expected.method, nil)
      compare("path", expected.path?.source, nil)
      compareBody(expected, task.input, &found)
    case .workflow(let workflow):
      compare("service", expected.service, workflow.name)
      compare("command", expected.command, nil)
      compare("method", expected.method, nil)
      compare("path", expected.path?.source, nil)
      for field in expected.headers { compare("header \(field.name)", field.value, nil, .none) }
      // A child that turns back gets no input.
      compareBody(expected, workflow.turnsBack ? nil : workflow.input, &found)
    }
    return found
  }

  private func header(_ name: String, _ fields: [RenderedField]) -> String? {
    fields.first { $0.name.lowercased() == name.lowercased() }?.value
  }

  private func compareBody(_ expected: CallExpectation, _ body: JSON?, _ found: inout [String]) {
    if let template = expected.body {
      found += JSONDifference.lines("body", template: template, seen: body, in: document, isPartial: false)
    }
    if let template = expected.bodyIncludes {
      found += JSONDifference.lines("body", template: template, seen: body, in: document, isPartial: true)
    }
  }
}
