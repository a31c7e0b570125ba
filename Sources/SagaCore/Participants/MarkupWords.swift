/// Finds the message in a page of HTML or an XML document: a proxy's page, a SOAP fault. It is not a parser, so that it
/// also reads broken documents. The result is only shown.
enum MarkupWords {
  /// The most characters that are read of a document.
  private static let longest = 100_000

  static func isHTML(_ text: String) -> Bool {
    let start = text.prefix(400).lowercased()
    return start.contains("<!doctype html") || start.contains("<html") || start.hasPrefix("<head")
      || start.hasPrefix("<body") || start.hasPrefix("<h1")
  }

  /// Returns the title and the text of the page.
  static func ofHTML(_ page: String) -> String {
    var title = ""
    var body = ""
    for piece in pieces(of: page) where piece.isShown {
      if piece.path.contains("title") { title += piece.text } else { body += " \(piece.text)" }
    }
    (title, body) = (ParticipantText.oneLine(title), ParticipantText.oneLine(body))
    if title.isEmpty || body.hasPrefix(title) { return body }
    return body.isEmpty ? title : "\(title): \(body)"
  }

  /// The elements that contain a message, the best first, as `parent/name` or `name`, without prefixes and case.
  private static let elements = [
    "faultstring", "reason/text", "detail", "message", "errormessage", "errordescription", "error_description",
    "diagnostics", "exceptiontext", "msg", "reason", "description", "title", "error", "text",
  ]

  /// Returns the text of the element that is known to contain a message, else the text of the whole document.
  static func ofXML(_ document: String) -> String {
    let pieces = pieces(of: document)
    for element in elements {
      let names = element.split(separator: "/").map(String.init)
      let found = pieces.first { $0.path.suffix(names.count).elementsEqual(names) && !$0.text.trimmed.isEmpty }
      if let found { return found.text }
    }
    // FHIR writes its message into attributes: `<diagnostics value="…"/>`.
    for element in ["diagnostics", "text"] {
      if let value = pieces.lazy.compactMap({ $0.values[element] }).first { return value }
    }
    return pieces.map(\.text).joined(separator: " ")
  }

  private struct Piece {
    /// The names of the elements around the text, the innermost last.
    var path: [String]
    var text: String
    /// The `value` attribute of the tag before it, by the tag's name.
    var values: [String: String] = [:]

    var isShown: Bool { !path.contains("script") && !path.contains("style") }
  }

  private static func pieces(of markup: String) -> [Piece] {
    var pieces: [Piece] = []
    var path: [String] = []
    var values: [String: String] = [:]
    var rest = markup.prefix(longest)
    func add(_ text: Substring, decoded: Bool) {
      guard !text.allSatisfy(\.isWhitespace) || !values.isEmpty else { return }
      pieces.append(Piece(path: path, text: decoded ? entitiesDecoded(text) : String(text), values: values))
      values = [:]
    }
    while !rest.isEmpty, pieces.count < 2_000 {
      guard let open = rest.firstIndex(of: "<") else {
        add(rest, decoded: true)
        break
      }
      if open > rest.startIndex { add(rest[..<open], decoded: true) }
      rest = rest[open...]
      if rest.hasPrefix("<![CDATA[") {
        let inside = rest.dropFirst("<![CDATA[".count)
        let end = inside.firstRange(of: "]]>")
        add(inside[..<(end?.lowerBound ?? inside.endIndex)], decoded: false)
        rest = inside[(end?.upperBound ?? inside.endIndex)...]
      } else if rest.hasPrefix("<!--") {
        rest = rest.firstRange(of: "-->").map { rest[$0.upperBound...] } ?? ""
      } else if let close = rest.firstIndex(of: ">") {
        let tag = rest[rest.index(after: rest.startIndex)..<close]
        rest = rest[rest.index(after: close)...]
        follow(tag, &path, &values)
        // The content of a script is not markup.
        if let name = path.last, ["script", "style"].contains(name), !tag.hasPrefix("/") {
          rest = rest.firstRange(of: "</\(name)").map { rest[$0.lowerBound...] } ?? ""
        }
      } else {
        break
      }
    }
    add("", decoded: false)
    return pieces
  }

  /// Elements of HTML that have no end.
  private static let endless: Set<String> = ["br", "hr", "img", "meta", "link", "input", "p", "li", "col", "base"]

  private static func follow(_ tag: Substring, _ path: inout [String], _ values: inout [String: String]) {
    guard let first = tag.first, first != "!", first != "?" else { return }
    let name = localName(tag.drop { $0 == "/" }.prefix { !$0.isWhitespace && $0 != "/" && $0 != ">" })
    if first == "/" {
      if let last = path.lastIndex(of: name) { path.removeSubrange(last...) }
      return
    }
    if let start = tag.firstRange(of: "value=\"") {
      let value = tag[start.upperBound...].prefix { $0 != "\"" }
      values[name] = entitiesDecoded(value)
    }
    if tag.last != "/", !endless.contains(name), path.count < 100 { path.append(name) }
  }

  private static func localName(_ name: Substring) -> String {
    name.split(separator: ":").last.map { $0.lowercased() } ?? ""
  }

  private static let entities: [Substring: String] = [
    "amp": "&", "lt": "<", "gt": ">", "quot": "\"", "apos": "'", "nbsp": " ", "ndash": "–", "mdash": "—",
    "hellip": "…", "copy": "©", "auml": "ä", "ouml": "ö", "uuml": "ü", "Auml": "Ä", "Ouml": "Ö", "Uuml": "Ü",
    "szlig": "ß", "eacute": "é", "egrave": "è", "agrave": "à", "deg": "°", "micro": "µ", "laquo": "«", "raquo": "»",
  ]

  private static func entitiesDecoded(_ text: Substring) -> String {
    var result = ""
    var rest = text
    while let start = rest.firstIndex(of: "&") {
      result += rest[..<start]
      rest = rest[rest.index(after: start)...]
      guard let end = rest.prefix(12).firstIndex(of: ";"), let decoded = entity(rest[..<end]) else {
        result += "&"
        continue
      }
      result += decoded
      rest = rest[rest.index(after: end)...]
    }
    return result + rest
  }

  private static func entity(_ name: Substring) -> String? {
    guard name.first == "#" else { return entities[name] }
    let digits = name.dropFirst()
    let isHex = digits.first == "x" || digits.first == "X"
    return UInt32(isHex ? digits.dropFirst() : digits, radix: isHex ? 16 : 10).flatMap(Unicode.Scalar.init)
      .map { String($0) }
  }
}
