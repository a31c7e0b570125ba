import JSON
import Testing

/// A page that is drawn again under the hand of a person.
extension ConsoleTests {
  /// A part of the page with a button that knows how often it was clicked and drawn.
  private static let probe = """
    import('/console/dom.js').then(({ h, put }) => {
      const place = h('div');
      Object.assign(place.style, { position: 'fixed', inset: '0 auto auto 0', zIndex: 9 });
      document.body.append(place);
      window.clicks = 0;
      let drawn = 0;
      window.draw = () => put(place, h('button', { id: 'probe', 'data-drawn': ++drawn, onclick: () => { clicks += 1; } }, 'Probe'));
      draw();
      const box = document.getElementById('probe').getBoundingClientRect();
      return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
    })
    """

  @Test("A button that is drawn again while a person presses it takes the click, and is drawn afterwards")
  func pressed() async throws {
    try await ConsoleSite.run { site in
      let page = try await site.page()
      let place = try await page.run(Self.probe)
      try await page.mouse("mousePressed", at: place)
      try await page.run("draw()")
      #expect(try await page.run("document.getElementById('probe').dataset.drawn") == "1")
      try await page.mouse("mouseReleased", at: place)
      try await page.wait("clicks === 1 && document.getElementById('probe').dataset.drawn === '2'")
      // A press that does not end holds nothing back for long.
      try await page.mouse("mousePressed", at: place)
      try await page.run("draw()")
      try await page.wait("document.getElementById('probe').dataset.drawn === '3'")
      try await page.mouse("mouseReleased", at: place)
      #expect(page.complaints == [])
    }
  }
}
