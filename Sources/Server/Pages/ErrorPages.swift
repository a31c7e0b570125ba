import Assets

/// The page of each error code, as `docs/errors/` has it, in Markdown and as HTML.
enum ErrorPages {
  private static let folder = "docs/errors/"

  /// Every code that has a page, in order.
  static let codes: [String] = Assets.paths.filter { $0.hasPrefix(folder) }.map {
    String($0.dropFirst(folder.count).dropLast(".md".count))
  }

  /// Returns the page of a code in Markdown; nil for an unknown code.
  static func markdown(_ code: String) -> String? { Assets.text("\(folder)\(code).md") }

  /// Returns the page of a code as HTML; nil for an unknown code.
  static func html(_ code: String) -> String? {
    markdown(code).map { document(title: code, body: MarkdownPage.html($0) + status(of: code) + footer) }
  }

  /// The list of all codes as HTML.
  static let index: String = {
    let rows = codes.map { code in
      let says = markdown(code).map(firstSentence) ?? ""
      return "<li><a href=\"/errors/\(HTMLText.escaped(code))\"><code>\(HTMLText.escaped(code))</code></a> \(says)</li>"
    }
    return document(title: "Error codes", body: "<h1>Error codes</h1>\n<ul>\n\(rows.joined(separator: "\n"))\n</ul>\n")
  }()

  private static func status(of code: String) -> String {
    ErrorStatus.text(of: code).map { "<h2>HTTP status</h2>\n<p>\(HTMLText.escaped($0))</p>\n" } ?? ""
  }

  private static let footer = "<p class=\"more\"><a href=\"/errors\">All error codes</a></p>\n"

  private static func firstSentence(of page: String) -> String {
    let lines = page.split(separator: "\n", omittingEmptySubsequences: true)
    return lines.first { !$0.hasPrefix("#") }.map { MarkdownPage.inline($0) } ?? ""
  }

  private static func document(title: String, body: String) -> String {
    """
    <!doctype html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width">
    <title>\(HTMLText.escaped(title)) · TracSeq Sagas</title>
    <link rel="icon" href="/console/icon.svg">
    <link rel="stylesheet" href="/console/page.css">
    </head>
    <body>
    <main>
    \(body)</main>
    </body>
    </html>

    """
  }
}

enum HTMLText {
  /// Returns text escaped for HTML, for an element and for an attribute.
  static func escaped(_ text: some StringProtocol) -> String {
    var result = ""
    for character in text {
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      default: result.append(character)
      }
    }
    return result
  }
}
