"""The words of instructions that a reader understands, as tables."""

from browser_use_async.server.executors.instructions.grammar import Phrases

# --- pages and links ------------------------------------------------------------------------

CLICKS, FOLLOWS = Phrases("click|press|tap"), Phrases("choose|follow|select")
FINDS, DOWNLOADS = Phrases("find|locate|look for"), Phrases("download")
OPENS = Phrases("browse to|continue to|go to|head to|navigate to|switch to|goto|open|visit")
FOUND = Phrases("and click|and press|and tap|and follow|and open")
# An instruction begins behind these; "the press release" and "we are open on Monday" are none.
BEGINS = frozenset(
    "- \u2013 \u2022 * > . , ; : ! ? ( ) \0 also and can could finally first just must next now"
    " please should that then to you".split()
) | {"\n"}
OPEN_SIGNS = frozenset("(:\"'“\u2018")
OWNERS = frozenset({"from", "of", "on"})
# Words for the page that an address leads to anyway.
START_PAGES = frozenset("front home homepage landing main start web website site".split())

# --- what is asked for ----------------------------------------------------------------------

ASKS_FOR_WORDS = frozenset(
    "answer give how output print reply report return say summarise summarize tell what which"
    " who".split()
)
ASKS = ASKS_FOR_WORDS - {"reply"} | frozenset(
    "collect copy count extract find gather get list note read save show when where write".split()
)
# What of a page an answer consists of, by the words for it.
PARTS = {
    **dict.fromkeys(("title", "titles"), "title"),
    **dict.fromkeys(("description", "descriptions"), "description"),
    **dict.fromkeys(
        "heading headings headline headlines subheading subheadings subheadline".split(), "headings"
    ),
    **dict.fromkeys(("hyperlink", "hyperlinks", "link", "links"), "links"),
    **dict.fromkeys(("table", "tables"), "tables"),
    **dict.fromkeys(("article", "content", "contents", "everything", "text"), "text"),
}
# Words that add nothing to the parts: "could you please tell me what is on this page".
AROUND_PARTS = frozenset(
    "a about all also an and answer are as at attached back be both browse but can come"
    " complete could d do document documents does each entire every exactly extract fetch file"
    " files find follow for from full get give go goto grab have head html i in is it its just"
    " kindly know let like list ll load look main me menu my name named navigate navigation need"
    " of on one only open or our out output page pages please print read reply report return s"
    " say says see show site sites so tab tell that the their them there these they this to"
    " two up url urls us using visible visit want was we web website websites what whats where"
    " which whole with would write written you your".split()
)

# --- forms, which are beyond a reader -------------------------------------------------------

FORMS = Phrases(
    "log in|sign in|sign up|fill in|fill out|search for|type|buy|purchase|submit|upload"
)
# What has to follow some of them: a page may be about what to buy.
FORM_OBJECTS = {
    "type": frozenset({"in", "into", '"', "'"}),
    **dict.fromkeys(
        ("buy", "purchase", "submit", "upload"), frozenset("a an it my the this your".split())
    ),
}
FORM_BEGINS = frozenset(". , ; : ! and please then".split()) | {"\n"}
