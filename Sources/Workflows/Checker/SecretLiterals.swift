import JSON

/// Finds secrets that a file contains as they are.
enum SecretLiterals {
  /// The beginnings of texts that are secrets under any name: of headers, of keys in PEM, and of tokens whose makers give
  /// them a beginning.
  private static let beginnings = [
    "Bearer ", "Basic ", "-----BEGIN ", "ghp_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "sk_live_", "AKIA", "eyJ",
  ]
  /// The fewest characters without a blank behind such a beginning: `Basic kit` is a text.
  private static let fewest = 8

  /// Returns what a text is, for a message; nil when it is not a secret.
  /// - Parameters:
  ///   - text: a text without `${…}`.
  ///   - name: the name of the member, the header or the parameter that has it.
  static func secret(_ text: String, named name: String?) -> String? {
    if text.isEmpty { return nil }
    if let name, Secrets.isSecret(name) { return "the value of \"\(name)\"" }
    let isToken = beginnings.contains { beginning in
      text.hasPrefix(beginning) && text.dropFirst(beginning.count).prefix { !$0.isWhitespace }.count >= fewest
    }
    if isToken { return "this text" }
    return hasPassword(text) ? "the password in this address" : nil
  }

  /// Returns true for an address with a user and a password: `https://user:password@host`.
  private static func hasPassword(_ text: String) -> Bool {
    guard let start = text.firstRange(of: "://")?.upperBound else { return false }
    let authority = text[start...].prefix { !$0.isWhitespace && !"/?#".contains($0) }
    guard let at = authority.lastIndex(of: "@"), let colon = authority.firstIndex(of: ":") else { return false }
    return colon < at
  }
}

extension ActionReader {
  /// Warns of every string of a value that looks like a secret. It would be in the file, in the store and in each copy of
  /// the workflow that a person reads.
  func warnOfSecrets(in json: JSON, at pointer: JSONPointer) {
    switch json {
    case .null, .bool, .number: break
    case .string(let text):
      guard !text.contains("${") else { return }
      let name: String? = if case .name(let name)? = pointer.tokens.last { name } else { nil }
      guard let secret = SecretLiterals.secret(text, named: name) else { return }
      report.warning(
        WorkflowErrorCode.secretInFile,
        "\(secret) looks like a secret, and everyone who reads the workflow sees it: the server's configuration of the "
          + "service is the place for what lets the engine in", at: pointer)
    case .array(let values):
      for (index, value) in values.enumerated() { warnOfSecrets(in: value, at: pointer.appending(index)) }
    case .object(let members):
      for (name, value) in members { warnOfSecrets(in: value, at: pointer.appending(name)) }
    }
  }
}
