// `console/index.html`. A test holds the two together and, with RENEW_COPIES=1 in its environment, writes this file again.
extension ConsoleText {
  static let indexHtml = #"""
    <!doctype html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Sagas</title>
    <link rel="icon" href="/console/icon.svg" type="image/svg+xml">
    <link rel="stylesheet" href="/console/app.css">
    <script type="module" src="/console/app.js"></script>
    </head>
    <body>
    <a class="skip" href="#main" id="skip">Skip to the content</a>
    <header class="top">
      <a class="brand" href="#/">Sagas</a>
      <nav aria-label="Pages" id="nav"></nav>
      <form role="search" id="search" class="search">
        <label class="sr" for="search-text">Find sagas by text or id</label>
        <input id="search-text" type="search" placeholder="Find: id, barcode, error …" autocomplete="off" spellcheck="false">
      </form>
      <div class="tools">
        <span id="live" class="live" role="status"></span>
        <button type="button" id="user"></button>
        <button type="button" id="theme"></button>
        <button type="button" id="help" aria-label="Keys">?</button>
      </div>
    </header>
    <main id="main" tabindex="-1"></main>
    <div id="said" class="sr" aria-live="polite"></div>
    <noscript>The console needs JavaScript. <code>saga list --status stuck</code> says the same without.</noscript>
    </body>
    </html>

    """#
}
