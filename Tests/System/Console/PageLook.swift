import JSON
import Testing

/// Pages as a person sees them: light and dark, on a wide and on a narrow screen.
struct PageLook: Sendable {
  /// One page of the console, or a part of it that an act opens.
  struct Shown: Sendable {
    let name: String
    /// The address behind the engine's, as `#/sagas` or `/errors`.
    let address: String
    /// What is true in the page when it is there.
    var fact = "document.querySelector('main h1') && !document.querySelector('main .placeholder')"
    /// The checks besides axe that it must pass.
    var checks = [PageChecks.contrast, PageChecks.names, PageChecks.width]
    var act: (@Sendable (ChromiumPage) async throws -> Void)?
  }

  let axe: Axe?
  /// A scheme and a width of the window.
  typealias Form = (scheme: String, width: Int)
  static let forms: [Form] = [("light", 1_440), ("light", 400), ("dark", 1_440), ("dark", 400)]
  /// Both schemes and both widths, in half the time: for pages that are looked at in all forms with other content.
  static let fewForms: [Form] = [("light", 1_440), ("dark", 400)]

  /// Opens each page in each form, checks it, and saves its picture.
  /// - Parameter prefix: what the names of the pictures begin with.
  func at(
    _ pages: [Shown], of url: String, in page: ChromiumPage, prefix: String, forms: [Form] = PageLook.forms
  ) async throws {
    for form in forms {
      try await page.prefer(form.scheme)
      try await page.size(form.width, 900)
      for shown in pages {
        try await page.open("about:blank")
        try await page.open(
          "\(url)/\(shown.address.hasPrefix("/") ? String(shown.address.dropFirst()) : shown.address)")
        try await page.wait(shown.fact)
        try await shown.act?(page)
        try await check(page, shown, "\(prefix)-\(shown.name)-\(form.scheme)-\(form.width)")
      }
    }
  }

  private func check(_ page: ChromiumPage, _ shown: Shown, _ name: String) async throws {
    // A colour has its contrast after its transition.
    try await page.wait("document.getAnimations().length === 0")
    for check in shown.checks {
      let wrong = try await page.run(check).arrayValue?.compactMap(\.stringValue)
      #expect(wrong == [], "\(name)")
    }
    if let axe {
      let faults = try await axe.faults(of: page)
      #expect(faults == [], "\(name)")
    }
    try await page.picture(name)
  }
}
