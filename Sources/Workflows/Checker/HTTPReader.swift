import JSON
import Values

extension ActionReader {
  /// The HTTP methods that a step may use.
  enum Method: String, CaseIterable {
    case get = "GET"
    case head = "HEAD"
    case post = "POST"
    case put = "PUT"
    case patch = "PATCH"
    case delete = "DELETE"
  }

  mutating func http(_ json: JSON, at pointer: JSONPointer) -> HTTPAction? {
    let what = "an http action"
    guard
      let reader = ObjectReader(
        json, at: pointer, what: what,
        keys: ["service", "method", "path", "headers", "query", "body", "success"], meant: Meant.http, report: report)
    else { return nil }
    let isAddress = reader.members["service"]?.stringValue?.contains("://") == true
    if isAddress {
      report.rule(
        WorkflowErrorCode.badName,
        "\"service\" is a name, as samples: the server's configuration has the address of each",
        at: reader.pointer(to: "service"))
    }
    let service = isAddress && report.purpose == .check ? nil : reader.name("service", of: what)
    if let service { checkService(service, among: services.http, in: reader) }
    if !reader.has("method") { reader.missing("method", of: what) }
    let method = reader.word("method", of: Method.self)
    if !reader.has("path") { reader.missing("path", of: what) }
    let path = path(in: reader)
    let headers = headers(in: reader) { HTTPAction.ownHeaders.contains($0) }
    let query = texts("query", in: reader)
    let body = reader.members["body"].flatMap { template($0, at: reader.pointer(to: "body")) }
    if reader.has("body"), let method, method == .get || method == .head {
      report.rule(
        WorkflowErrorCode.badValue, "a \(method.rawValue) carries no body", at: reader.pointer(to: "body"), .name)
    }
    let success = success(in: reader)
    guard let service, let method, let path, let success else { return nil }
    return HTTPAction(
      service: service, method: method.rawValue, path: path, headers: headers, query: query, body: body,
      success: success)
  }

  private mutating func path(in reader: ObjectReader) -> TextTemplate? {
    guard let template = text("path", in: reader, isPath: true) else { return nil }
    let pointer = reader.pointer(to: "path")
    if let mistake = Self.pathMistake(template) {
      report.rule(WorkflowErrorCode.badPath, mistake, at: pointer)
    }
    return template
  }

  /// Returns the error in the fixed parts of a path; nil when there is none.
  static func pathMistake(_ template: TextTemplate) -> String? {
    // A name replaces each expression. The real value is checked when it is rendered.
    var text = ""
    for part in template.parts {
      switch part {
      case .literal(let literal): text += literal
      case .expression: text += "x"
      }
    }
    guard text.utf8.first == UInt8(ascii: "/") else {
      return "a path begins with /, as /samples; the address before it is in the server's configuration"
    }
    if text.utf8.starts(with: "//".utf8) { return "a path begins with one /" }
    if text.utf8.contains(UInt8(ascii: "?")) { return "a path holds no ?: write parameters into \"query\"" }
    if text.utf8.contains(UInt8(ascii: "#")) { return "a path holds no #: write it as %23" }
    if let segment = PercentEncoding.dotSegment(in: text) { return "the segment \(segment) would lead elsewhere" }
    let bytes = Array(text.utf8)
    for (index, byte) in bytes.enumerated() {
      if byte == UInt8(ascii: "%") {
        let digits = bytes[(index + 1)...].prefix(2)
        let hex = digits.count == 2 && digits.allSatisfy { "0123456789abcdefABCDEF".utf8.contains($0) }
        if !hex || digits.elementsEqual("00".utf8) {
          return "in a path % is followed by two hexadecimal digits, and not by 00"
        }
      } else if !(PercentEncoding.isUnreserved(byte) || "/:@!$&'()*+,;=".utf8.contains(byte)) {
        let place = byte == UInt8(ascii: "{") || byte == UInt8(ascii: "<")
        return "a path holds letters, digits and -._~/:@!$&'()*+,;= : write "
          + (place ? "a value as ${…}, as /samples/${input.id}" : "anything else percent-encoded")
      }
    }
    return nil
  }

  // MARK: success

  private func success(in reader: ObjectReader) -> [ClosedRange<Int>]? {
    guard let json = reader.members["success"] else { return HTTPAction.defaultSuccess }
    let pointer = reader.pointer(to: "success")
    guard case .array(let values) = json else { return range(json, at: pointer).map { [$0] } }
    if values.isEmpty {
      report.error(WorkflowErrorCode.badValue, "\"success\" is empty: no answer would be one", at: pointer)
      return nil
    }
    let ranges = values.enumerated().map { index, value in range(value, at: pointer.appending(index)) }
    let read = ranges.compactMap { $0 }
    return read.count == ranges.count ? read : nil
  }

  private func range(_ json: JSON, at pointer: JSONPointer) -> ClosedRange<Int>? {
    switch json {
    case .number(let number):
      if let status = number.intValue, (100...599).contains(status) { return status...status }
    case .string(let text):
      if let range = Self.range(text) { return range }
    case .null, .bool, .array, .object:
      report.error(
        WorkflowErrorCode.wrongType,
        "\"success\" holds status codes, as 200, \"2xx\" or \"200-204\", not \(ObjectReader.withArticle(json))",
        at: pointer)
      return nil
    }
    report.error(
      WorkflowErrorCode.badValue,
      "\(json.text()) is no status: write a code from 100 to 599, a class as \"2xx\", or a range as \"200-204\"",
      at: pointer,
      near: json.stringValue.map { $0.lowercased() }.flatMap { Self.range($0) == nil ? nil : $0 })
    return nil
  }

  static func range(_ text: String) -> ClosedRange<Int>? {
    let bytes = Array(text.utf8)
    func code(_ digits: ArraySlice<UInt8>) -> Int? {
      guard digits.count == 3, digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
        let code = Int(String(decoding: digits, as: UTF8.self)), (100...599).contains(code)
      else { return nil }
      return code
    }
    if bytes.count == 3, bytes[1...].elementsEqual("xx".utf8) {
      guard (UInt8(ascii: "1")...UInt8(ascii: "5")).contains(bytes[0]) else { return nil }
      let hundred = Int(bytes[0] - UInt8(ascii: "0")) * 100
      return hundred...(hundred + 99)
    }
    if let single = code(bytes[...]) { return single...single }
    guard bytes.count == 7, bytes[3] == UInt8(ascii: "-"), let low = code(bytes[..<3]), let high = code(bytes[4...]),
      low <= high
    else { return nil }
    return low...high
  }
}
