import Foundation
import JSON
import Synchronization

/// A page in the browser, used as a person uses it: by reading, clicking and typing.
final class ChromiumPage: Sendable {
  private let browser: Chromium
  private let session: String
  private let target: JSON
  private let errors = Mutex<[String]>([])

  /// - Parameter target: what the browser calls the tab; null for a page that is never closed.
  init(_ browser: Chromium, session: String, target: JSON = .null) async throws {
    self.browser = browser
    self.session = session
    self.target = target
    browser.listen(to: session) { [weak self] method, parameters in self?.note(method, parameters) }
    for domain in ["Page", "Runtime", "Log", "DOM"] { _ = try await send("\(domain).enable") }
    try await size(1280, 900)
  }

  /// The errors and warnings in the browser's log so far.
  var complaints: [String] { errors.withLock { $0 } }

  private func note(_ method: String, _ parameters: JSON) {
    let complaint: String? =
      switch method {
      case "Runtime.exceptionThrown": parameters["exceptionDetails"]?.text()
      case "Runtime.consoleAPICalled":
        ["error", "warning", "assert"].contains(parameters["type"]?.stringValue) ? parameters["args"]?.text() : nil
      case "Log.entryAdded":
        parameters["entry"]?["level"] == "error" ? parameters["entry"]?.text() : nil
      default: nil
      }
    if let complaint { errors.withLock { $0.append(complaint) } }
  }

  @discardableResult
  func send(_ method: String, _ parameters: JSON = [:]) async throws -> JSON {
    try await browser.send(method, parameters, session: session)
  }

  func open(_ url: String) async throws { try await send("Page.navigate", ["url": .string(url)]) }

  /// Shows this tab, and hides the others of its window.
  func show() async throws { try await send("Page.bringToFront") }

  /// Closes the tab. The page answers nothing any more.
  func close() async throws { _ = try await browser.send("Target.closeTarget", ["targetId": target]) }

  /// Runs a script in every page that opens from now on, before its own.
  func prepare(_ script: String) async throws {
    try await send("Page.addScriptToEvaluateOnNewDocument", ["source": .string(script)])
  }

  /// Stores a value in the local storage of every page that opens from now on.
  func remember(_ name: String, _ value: String) async throws {
    let script = "if (location.protocol === 'http:') localStorage.setItem(\(quote(name)), \(quote(value)))"
    try await prepare(script)
  }

  func size(_ width: Int, _ height: Int) async throws {
    try await send(
      "Emulation.setDeviceMetricsOverride",
      [
        "width": .number(JSONNumber(width)), "height": .number(JSONNumber(height)), "deviceScaleFactor": 1,
        "mobile": false,
      ])
  }

  func prefer(_ scheme: String) async throws {
    try await send(
      "Emulation.setEmulatedMedia", ["features": [["name": "prefers-color-scheme", "value": .string(scheme)]]])
  }

  /// Returns the value of an expression in the page.
  @discardableResult
  func run(_ script: String) async throws -> JSON {
    let answer = try await send(
      "Runtime.evaluate", ["expression": .string(script), "awaitPromise": true, "returnByValue": true])
    if let problem = answer["exceptionDetails"] {
      throw Chromium.Failure(
        description: "\(script): \(problem["exception"]?["description"]?.text() ?? problem.text())")
    }
    return answer["result"]?["value"] ?? .null
  }

  /// Waits in the page until an expression is true, and returns its value.
  @discardableResult
  func wait(_ condition: String, seconds: Int = 60) async throws -> JSON {
    try await run(
      """
      new Promise((found, lost) => {
        const look = () => { try { const value = (\(condition)); if (value) { stop(); found(value); } } catch (error) {} };
        const timer = setInterval(look, 25);
        const end = setTimeout(() => { stop(); lost(new Error('never true; the page reads: ' + document.body.innerText.slice(0, 3000))); },
          \(seconds * 1_000));
        const stop = () => { clearInterval(timer); clearTimeout(end); };
        look();
      })
      """)
  }

  /// Waits until the page shows a text.
  func waitForText(_ text: String, in selector: String = "body") async throws {
    try await wait("document.querySelector(\(quote(selector)))?.innerText.includes(\(quote(text)))")
  }

  /// Clicks in the middle of an element, with the mouse.
  func click(_ selector: String) async throws {
    let place = try await wait(
      """
      (() => {
        const node = document.querySelector(\(quote(selector)));
        if (!node || node.disabled) return null;
        node.scrollIntoView({ block: 'center' });
        const box = node.getBoundingClientRect();
        const place = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
        // A page that still loads moves it, or draws it again between the press and the release.
        const seen = node.seenAt;
        const isSame = seen && seen.x === place.x && seen.y === place.y;
        node.seenAt = { ...place, looks: isSame ? seen.looks + 1 : 0 };
        return box.width && node.seenAt.looks >= 4 ? place : null;
      })()
      """)
    for type in ["mousePressed", "mouseReleased"] { try await mouse(type, at: place) }
  }

  /// Presses or releases the left button of the mouse.
  /// - Parameter place: has `x` and `y`, in pixels of the window.
  func mouse(_ type: String, at place: JSON) async throws {
    try await send(
      "Input.dispatchMouseEvent",
      [
        "type": .string(type), "x": place["x"] ?? 0, "y": place["y"] ?? 0, "button": "left", "clickCount": 1,
      ])
  }

  /// Selects an option of a list, by its value.
  func choose(_ value: String, in selector: String) async throws {
    try await wait("document.querySelector(\(quote(selector)))")
    try await run(
      """
      (() => {
        const list = document.querySelector(\(quote(selector)));
        list.value = \(quote(value));
        list.dispatchEvent(new Event('change', { bubbles: true }));
      })()
      """)
  }

  func type(_ text: String) async throws { try await send("Input.insertText", ["text": .string(text)]) }

  /// Presses a key: `Enter`, `Tab`, `Escape`, or a letter.
  func press(_ key: String, shift: Bool = false) async throws {
    let codes = [
      "Enter": 13, "Tab": 9, "Escape": 27, " ": 32, "ArrowLeft": 37, "ArrowRight": 39, "Home": 36, "End": 35,
    ]
    var event: JSONObject = [
      "key": .string(key),
      "windowsVirtualKeyCode": .number(JSONNumber(codes[key] ?? Int(key.uppercased().utf8.first ?? 0))),
      "modifiers": shift ? 8 : 0,
    ]
    if key == "Enter" { event["text"] = "\r" } else if key.utf8.count == 1 { event["text"] = .string(key) }
    for type in ["keyDown", "keyUp"] {
      event["type"] = .string(type)
      try await send("Input.dispatchKeyEvent", .object(event))
    }
  }

  /// Saves a picture of the whole page in `.build/console-screenshots`.
  func picture(_ name: String) async throws {
    let height = try await run("Math.min(3000, document.documentElement.scrollHeight)").intValue ?? 900
    let width = try await run("innerWidth").intValue ?? 1280
    let answer = try await send(
      "Page.captureScreenshot",
      [
        "format": "png", "captureBeyondViewport": true,
        "clip": [
          "x": 0, "y": 0, "width": .number(JSONNumber(width)), "height": .number(JSONNumber(height)), "scale": 1,
        ],
      ])
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent(".build/console-screenshots")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    guard let data = Data(base64Encoded: answer["data"]?.stringValue ?? ""), data.count > 1_000 else {
      throw Chromium.Failure(description: "no picture of \(name)")
    }
    try data.write(to: folder.appendingPathComponent("\(name).png"))
  }

  private func quote(_ text: String) -> String { JSON.string(text).text() }
}
