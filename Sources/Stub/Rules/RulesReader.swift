import HTTP
import JSON
import Values
public import Workflows

/// The result of reading a file of rules.
public struct RulesCheck: Sendable {
  /// Nil when there is an error.
  public let rules: StubRules?
  /// In the order of the file.
  public let findings: [Finding]
  /// The number of further findings.
  public let omitted: Int

  public var errors: [Finding] { findings.filter { $0.severity == .error } }
}

extension StubRules {
  /// The largest file that is read.
  public static let maxBytes = 1 << 20

  /// Reads a file of rules and reports all its mistakes.
  /// - Parameters:
  ///   - bytes: the file.
  ///   - file: its name, for the findings.
  public static func check(_ bytes: [UInt8], file: String? = nil) -> RulesCheck {
    let opened: OpenedFile
    do throws(UnreadableFile) {
      opened = try OpenedFile(bytes, file: file, atMost: maxBytes, code: StubErrorCode.rulesInvalid)
    } catch {
      return RulesCheck(rules: nil, findings: [error.finding], omitted: 0)
    }
    let (document, report) = (opened.document, opened.report)
    let rules = RulesReader(report: report).rules(document.root)
    return RulesCheck(
      rules: report.hasErrors ? nil : rules, findings: report.inOrder(), omitted: report.omitted)
  }
}

/// Reads the whole file.
struct RulesReader {
  let report: Report

  private static let code = StubErrorCode.rulesInvalid

  private enum Method: String, CaseIterable {
    case get = "GET"
    case head = "HEAD"
    case post = "POST"
    case put = "PUT"
    case patch = "PATCH"
    case delete = "DELETE"
    case options = "OPTIONS"
  }

  private static let meant: [String: Meant] = [
    "method": .says("write it inside \"match\""), "path": .says("write it inside \"match\""),
    "url": .says("write \"path\" inside \"match\""), "when": .says("write it inside \"match\""),
    "if": .says("write \"when\" inside \"match\""), "status": .says("write it inside \"answer\""),
    "headers": .says("write it inside \"answer\""), "body": .says("write it inside \"answer\""),
    "retryAfter": .says("write it inside \"answer\" or \"failFirst\""),
    "request": .word("match"), "response": .word("answer"), "respond": .word("answer"), "reply": .word("answer"),
    "fail": .word("failFirst"), "failures": .word("failFirst"), "drop": .word("dropFirst"), "slow": .word("delay"),
    "latency": .word("delay"), "wait": .word("delay"),
  ]

  func rules(_ json: JSON) -> StubRules? {
    guard
      let reader = ObjectReader(
        json, at: .root, what: "a file of rules", keys: ["$schema", "rules", "remember"],
        meant: ["stubs": .word("rules"), "mappings": .word("rules"), "routes": .word("rules")], report: report)
    else { return nil }
    let remember = reader.integer(
      "remember", in: 1...StubRules.mostRemember,
      meaning: "the number of keys that are remembered, from 1 to \(StubRules.mostRemember)")
    guard reader.has("rules") else {
      reader.missing("rules", of: "a file of rules")
      return nil
    }
    guard let values = reader.members["rules"]?.arrayValue else {
      reader.wrongType("rules", "a list", reader.members["rules"] ?? .null)
      return nil
    }
    let place = reader.pointer(to: "rules")
    guard !values.isEmpty else {
      report.error(Self.code, "\"rules\" is empty: a stub without a rule answers nothing", at: place)
      return nil
    }
    guard values.count <= StubRules.mostRules else {
      report.error(
        Self.code, "\(values.count) rules are more than the \(StubRules.mostRules) that a file may have", at: place)
      return nil
    }
    let read = values.enumerated().map { rule($1, index: $0, at: place.appending($0)) }
    checkNames(read, at: place)
    checkOrder(read, at: place)
    return StubRules(rules: read.compactMap { $0 }, remember: remember ?? StubRules.usualRemember)
  }

  private func checkNames(_ rules: [StubRule?], at place: JSONPointer) {
    var known: [String: Int] = [:]
    for (index, rule) in rules.enumerated() {
      guard let rule else { continue }
      if let first = known[rule.name] {
        report.error(
          Self.code, "\"\(rule.name)\" is the name of rule \(first + 1) already",
          at: place.appending(index).appending("name"))
      } else {
        known[rule.name] = index
      }
    }
  }

  /// Warns of a rule behind one that takes all its requests.
  private func checkOrder(_ rules: [StubRule?], at place: JSONPointer) {
    for (index, rule) in rules.enumerated() {
      guard let rule else { continue }
      let earlier = rules[..<index].first { other in
        guard let other else { return false }
        return other.when == nil && other.method == rule.method && other.path.covers(rule.path)
      }
      guard case .some(.some(let other)) = earlier else { continue }
      report.warning(
        Self.code, "no request reaches this rule: \"\(other.name)\" before it takes all of them",
        at: place.appending(index))
    }
  }

  private func rule(_ json: JSON, index: Int, at pointer: JSONPointer) -> StubRule? {
    let what = "a rule"
    guard
      let reader = ObjectReader(
        json, at: pointer, what: what, keys: ["name", "match", "answer", "delay", "failFirst", "dropFirst"],
        meant: Self.meant, report: report)
    else { return nil }
    let name = reader.text("name")
    if let name, name.isEmpty || name.unicodeScalars.count > 100 {
      report.error(Self.code, "\"name\" has 1 to 100 characters", at: reader.pointer(to: "name"))
    }
    let match = match(in: reader)
    let expressions = RequestExpressions(report: report, names: match?.path.names)
    let when = match?.when(expressions)
    let answer =
      reader.members["answer"].map {
        self.answer($0, at: reader.pointer(to: "answer"), "an answer", usual: 200, expressions)
      }
      ?? AnswerTemplate(status: 200, headers: [], retryAfter: nil, body: nil)
    let delay = reader.duration("delay")
    if let delay, delay > .seconds(600) {
      report.error(Self.code, "\"delay\" is at most 10m", at: reader.pointer(to: "delay"))
    }
    let failures = failures(in: reader, expressions)
    let drops = reader.integer("dropFirst", in: 1...1_000_000, meaning: "how many answers are lost, from 1")
    guard let match, let answer else { return nil }
    return StubRule(
      name: name ?? "rule \(index + 1)", method: match.method, path: match.path, when: when, answer: answer,
      delay: delay, failFirst: failures, dropFirst: drops ?? 0)
  }

  // MARK: match

  private struct Match {
    let reader: ObjectReader
    let method: String
    let path: PathPattern

    func when(_ expressions: RequestExpressions) -> JSONPathCondition? { expressions.condition("when", in: reader) }
  }

  private func match(in reader: ObjectReader) -> Match? {
    guard let json = reader.members["match"] else {
      reader.missing("match", of: "a rule")
      return nil
    }
    let what = "a match"
    guard
      let inner = ObjectReader(
        json, at: reader.pointer(to: "match"), what: what, keys: ["method", "path", "when"],
        meant: [
          "url": .word("path"), "if": .word("when"), "condition": .word("when"),
          "headers": .says("write a \"when\", as $.request.headers['x-lab'] == '7'"),
          "body": .says("write a \"when\", as $.request.body.barcode == 'TS-1'"),
          "query": .says("write a \"when\", as $.request.query.limit == '1'"),
        ], report: report)
    else { return nil }
    for name in ["method", "path"] where !inner.has(name) { inner.missing(name, of: what) }
    let method = inner.word("method", of: Method.self)
    var pattern: PathPattern?
    if let text = inner.text("path") {
      do {
        pattern = try PathPattern(text)
      } catch {
        report.error(Self.code, error.message, at: inner.pointer(to: "path"), .inside(error.at), near: error.near)
      }
    }
    guard let method, let pattern else {
      // The condition is checked all the same, so that its mistakes show now.
      _ = RequestExpressions(report: report, names: nil).condition("when", in: inner)
      return nil
    }
    return Match(reader: inner, method: method.rawValue, path: pattern)
  }

  // MARK: answers

  private static let answerKeys = ["status", "headers", "body", "retryAfter"]
  private static let answerMeant: [String: Meant] = [
    "code": .word("status"), "header": .word("headers"), "json": .word("body"), "text": .word("body"),
    "delay": .says("write it beside \"answer\""), "dropFirst": .says("write it beside \"answer\""),
  ]

  private func failures(in reader: ObjectReader, _ expressions: RequestExpressions) -> StubRule.Failures? {
    guard let json = reader.members["failFirst"] else { return nil }
    let place = reader.pointer(to: "failFirst")
    let what = "\"failFirst\""
    let answer = self.answer(json, at: place, what, usual: 503, more: ["times"], expressions)
    guard let members = json.objectValue else { return nil }
    let meaning = "how many calls fail, from 1 to 1000000"
    guard let times = members["times"] else {
      report.error(Self.code, "\(what) needs \"times\": \(meaning)", at: place)
      return nil
    }
    guard let count = times.intValue, (1...1_000_000).contains(count) else {
      report.error(Self.code, "\"times\" is \(meaning)", at: place.appending("times"))
      return nil
    }
    if let answer, answer.status < 400 {
      report.error(Self.code, "a failure has a status from 400 to 599", at: place.appending("status"))
    }
    return answer.map { StubRule.Failures(times: count, answer: $0) }
  }

  private func answer(
    _ json: JSON, at pointer: JSONPointer, _ what: String, usual: Int, more: [String] = [],
    _ expressions: RequestExpressions
  ) -> AnswerTemplate? {
    guard
      let reader = ObjectReader(
        json, at: pointer, what: what, keys: Self.answerKeys + more, meant: Self.answerMeant, report: report)
    else { return nil }
    let status = reader.integer("status", in: 200...599, meaning: "a status from 200 to 599") ?? usual
    let retryAfter = reader.duration("retryAfter")
    let body = reader.members["body"].flatMap { expressions.sent($0, at: reader.pointer(to: "body")) }
    if body != nil, status == 204 || status == 304 {
      report.error(Self.code, "an answer with the status \(status) has no body", at: reader.pointer(to: "body"), .name)
    }
    let headers = headers(in: reader, expressions)
    if retryAfter != nil, headers.contains(where: { $0.name.lowercased() == "retry-after" }) {
      report.error(
        Self.code, "\"retryAfter\" is the header Retry-After, which is there already",
        at: reader.pointer(to: "retryAfter"), .name)
    }
    return AnswerTemplate(status: status, headers: headers, retryAfter: retryAfter, body: body)
  }

  /// The headers that the server sets itself.
  private static let ownHeaders: Set = ["content-length", "transfer-encoding", "connection", "date", "keep-alive"]

  private func headers(
    in reader: ObjectReader, _ expressions: RequestExpressions
  ) -> [(name: String, value: TextTemplate)] {
    guard let json = reader.members["headers"] else { return [] }
    guard let members = json.objectValue else {
      reader.wrongType("headers", "an object", json)
      return []
    }
    let place = reader.pointer(to: "headers")
    var headers: [(name: String, value: TextTemplate)] = []
    for (name, value) in members {
      if !name.isHTTPToken {
        report.error(Self.code, "\"\(name)\" is not the name of a header", at: place.appending(name), .name)
      } else if Self.ownHeaders.contains(name.lowercased()) {
        report.error(Self.code, "the server sets \(name) itself", at: place.appending(name), .name)
      } else if let text = value.stringValue {
        if let template = expressions.text(text, at: place.appending(name)) { headers.append((name, template)) }
      } else {
        report.error(
          Self.code, "a header is a string, not \(ObjectReader.withArticle(value))", at: place.appending(name))
      }
    }
    return headers
  }
}
