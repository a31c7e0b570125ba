/// Turns the Markdown that error pages are written in into HTML: headings, paragraphs, lists, fenced code, `code`, and
/// links. Anything else is shown as it is written.
enum MarkdownPage {
  /// Returns the HTML of a page. The text is escaped, so it can't bring elements of its own.
  static func html(_ page: String) -> String {
    var html = ""
    var paragraph: [Substring] = []
    var items: [Substring] = []
    var code: [Substring]?
    func end() {
      if !paragraph.isEmpty { html += "<p>\(inline(paragraph.joined(separator: " ")))</p>\n" }
      if !items.isEmpty { html += "<ul>\n" + items.map { "<li>\(inline($0))</li>\n" }.joined() + "</ul>\n" }
      paragraph = []
      items = []
    }
    for line in page.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.hasPrefix("```") {
        if let lines = code {
          html += "<pre>\(HTMLText.escaped(lines.joined(separator: "\n")))</pre>\n"
          code = nil
        } else {
          end()
          code = []
        }
      } else if code != nil {
        code?.append(line)
      } else if line.hasPrefix("## ") {
        end()
        html += "<h2>\(inline(line.dropFirst(3)))</h2>\n"
      } else if line.hasPrefix("# ") {
        end()
        html += "<h1>\(inline(line.dropFirst(2)))</h1>\n"
      } else if line.hasPrefix("- ") {
        if !paragraph.isEmpty { end() }
        items.append(line.dropFirst(2))
      } else if line.isEmpty {
        end()
      } else if items.isEmpty {
        paragraph.append(line)
      } else {
        items[items.count - 1] = Substring(items[items.count - 1] + " " + line.drop { $0 == " " })
      }
    }
    end()
    if let code { html += "<pre>\(HTMLText.escaped(code.joined(separator: "\n")))</pre>\n" }
    return html
  }

  /// Returns one line's HTML, its `code` and links made elements.
  static func inline(_ text: some StringProtocol) -> String {
    text.split(separator: "`", omittingEmptySubsequences: false).enumerated().map { index, part in
      index.isMultiple(of: 2) ? links(Substring(part)) : "<code>\(HTMLText.escaped(part))</code>"
    }.joined()
  }

  private static func links(_ text: Substring) -> String {
    var html = ""
    var rest = text
    while let match = rest.firstMatch(of: /\[([^\]]*)\]\(([^)]*)\)/) {
      html += HTMLText.escaped(rest[..<match.range.lowerBound])
      let label = HTMLText.escaped(match.1)
      // A page beside this one is served; the other documents are not.
      if match.2.hasSuffix(".md"), !match.2.contains("/") {
        html += "<a href=\"/errors/\(HTMLText.escaped(match.2.dropLast(3)))\">\(label)</a>"
      } else {
        html += label
      }
      rest = rest[match.range.upperBound...]
    }
    return html + HTMLText.escaped(rest)
  }
}
