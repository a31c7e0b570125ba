import JSON

/// Masks secrets in calls, before people see them or the history stores them. The rule is the same for what was sent and
/// for what was answered, and a workflow can't change it. The checker warns by the same rule of secrets in a file.
///
/// A name makes its value secret: the name of a member, a header or a parameter. Names are compared without case and
/// without anything but letters and digits, so `apiKey`, `API_KEY` and `X-Api-Key` are alike.
package enum Secrets {
  /// The text in place of a secret value.
  package static let mask = "***"

  /// A name that has one of these parts is secret.
  private static let parts = [
    "password", "passwd", "passphrase", "secret", "token", "apikey", "accesskey", "privatekey", "signingkey",
    "credential", "authorization", "cookie", "jwt", "signature",
  ]
  /// A name that is one of these is secret.
  private static let names: Set<String> = ["auth", "bearer", "otp", "pin", "pwd", "sessionid", "sig"]
  /// A value with one of these names has spaces in it: `Authorization: Bearer abc`.
  private static let ofLines = ["authorization", "cookie"]

  private static func plain(_ name: String) -> String {
    String(String.UnicodeScalarView(name.lowercased().unicodeScalars.filter(\.isLetterOrDigit)))
  }

  /// Returns whether a value with this name is secret.
  package static func isSecret(_ name: String) -> Bool {
    let name = plain(name)
    return names.contains(name) || parts.contains { name.contains($0) }
  }

  /// Returns the value with a mask in place of each secret member. Null stays null.
  package static func masked(_ json: JSON) -> JSON {
    switch json {
    case .object(let members):
      .object(
        JSONObject(
          members.map { name, value in
            (name, value.isNull || !isSecret(name) ? masked(value) : .string(mask))
          }))
    case .array(let elements): .array(elements.map(masked))
    case .string(let text): .string(masked(text: text))
    case .null, .bool, .number: json
    }
  }

  /// Returns the value of a header or a parameter, masked when its name is secret. Secrets inside it are masked too.
  package static func masked(_ value: String, named name: String) -> String {
    isSecret(name) ? mask : masked(text: value)
  }

  /// Returns a text of any form with a mask in place of each value whose name is secret: `password=…`,
  /// `"token": "…"`, `<secret>…</secret>`, and in an address the part before `@`.
  package static func masked(text: String) -> String {
    var masking = TextMasking(text)
    return masking.result()
  }

  /// Walks once through a text.
  private struct TextMasking {
    private let scalars: [Unicode.Scalar]
    private var at = 0
    private var masked = String.UnicodeScalarView()

    init(_ text: String) { scalars = Array(text.unicodeScalars) }

    mutating func result() -> String {
      while at < scalars.count {
        if scalars[at].isPartOfName {
          takeName()
        } else if starts(with: "://") {
          takeAddress()
        } else {
          take(to: at + 1)
        }
      }
      return String(masked)
    }

    private func starts(with text: String) -> Bool { scalars[at...].starts(with: text.unicodeScalars) }

    private mutating func take(to end: Int) {
      masked.append(contentsOf: scalars[at..<end])
      at = end
    }

    private mutating func mask(to end: Int) {
      guard end > at else { return }
      masked.append(contentsOf: Secrets.mask.unicodeScalars)
      at = end
    }

    private func end(from start: Int, while condition: (Unicode.Scalar) -> Bool) -> Int {
      var end = start
      while end < scalars.count, condition(scalars[end]) { end += 1 }
      return end
    }

    private mutating func takeName() {
      let end = end(from: at, while: \.isPartOfName)
      let name = String(String.UnicodeScalarView(scalars[at..<end]))
      take(to: end)
      guard Secrets.isSecret(name) else { return }
      // Between a name and its value: a quote that ends the name, blanks, and a sign.
      let sign = self.end(from: self.end(from: end) { $0.isQuote || $0 == "\\" }, while: \.isBlank)
      guard sign < scalars.count, [":", "=", ">"].contains(scalars[sign]) else { return }
      let isElement = scalars[sign] == ">"
      take(to: isElement ? sign + 1 : self.end(from: sign + 1, while: \.isBlank))
      guard at < scalars.count else { return }
      if isElement {
        mask(to: self.end(from: at) { $0 != "<" })
      } else if scalars[at].isQuote {
        takeQuoted(isEscaped: false)
      } else if scalars[at] == "\\", at + 1 < scalars.count, scalars[at + 1].isQuote {
        take(to: at + 1)
        takeQuoted(isEscaped: true)
      } else if scalars[at] == "[" || scalars[at] == "{" {
        // The end of a list in a text that isn't JSON is not known.
        mask(to: scalars.count)
      } else if Secrets.ofLines.contains(where: { Secrets.plain(name).contains($0) }) {
        mask(to: self.end(from: at) { $0 != "\n" && $0 != "\r" && !$0.isQuote })
      } else {
        mask(to: self.end(from: at) { !$0.isBlank && !$0.endsValue })
      }
    }

    /// Masks a quoted value. A quote behind a backslash belongs to the value.
    /// - Parameter isEscaped: whether the quotes around the value are behind backslashes themselves.
    private mutating func takeQuoted(isEscaped: Bool) {
      take(to: at + 1)
      var end = end(from: at) { !$0.isQuote }
      while !isEscaped, end < scalars.count, end > at, scalars[end - 1] == "\\" {
        end = self.end(from: end + 1) { !$0.isQuote }
      }
      if isEscaped, end > at, scalars[end - 1] == "\\" { end -= 1 }
      mask(to: end)
    }

    /// Masks the user and the password of an address.
    private mutating func takeAddress() {
      take(to: at + 3)
      let end = end(from: at) { !$0.isBlank && !$0.isQuote && !["/", "?", "#", "<", ">"].contains($0) }
      if let sign = scalars[at..<end].lastIndex(of: "@") { mask(to: sign) }
    }
  }
}

extension Unicode.Scalar {
  fileprivate var isLetterOrDigit: Bool { properties.isAlphabetic || ("0"..."9").contains(self) }
  fileprivate var isPartOfName: Bool { isLetterOrDigit || self == "-" || self == "_" || self == "." }
  fileprivate var isBlank: Bool { properties.isWhitespace }
  fileprivate var isQuote: Bool { self == "\"" || self == "'" }
  /// True for a sign that ends a value without quotes.
  fileprivate var endsValue: Bool { isQuote || ["&", ";", ",", "<", ">", "}", "]", ")"].contains(self) }
}
