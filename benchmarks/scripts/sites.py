"""The twelve sites. In braces `«a|b»` the second text is that of the version with other texts."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from benchmarks.scripts.site import Case, Download, Redirect, Site, Version

__all__ = ["SITES", "Bookings", "Companies", "Shop"]


def _rows(template: str, rows: Sequence[Sequence[str]]) -> str:
    return "".join(template.format(*row) for row in rows)


class Companies(Site):
    """A form, its results, a page for each result."""

    kind = "search form"
    asks = "Find the head office of {company}. Tell me the company and the city"
    does = (("fill", "Company name", "{company}"), ("click", "Search"), ("click", "{company}"))
    first = Case(
        {"company": "Blue Mill"},
        {"company": "Blue Mill", "city": "Bern"},
        {"Blue Mill": "Bern", "Old Mill": "Graz"},
    )
    later = Case(
        {"company": "Red Barn"},
        {"company": "Red Barn", "city": "Ghent"},
        {"Old Mill": "Linz", "Red Barn": "Ghent", "Blue Mill": "Basel"},
    )

    async def answer(self, path: str, given: Mapping[str, str]) -> Any:
        """Three pages."""
        if path == "/":
            return self.page(
                "<title>Register</title><h1>Find a company</h1><form action=/results><label>"
                "«Company name|Name of the firm» <input name=q></label>"
                "<button>«Search|Find it»</button></form>"
            )
        names = [*self.case.data]
        if path == "/results":
            found = "".join(
                f"<li><a href=/company/{number}>{name}</a></li>"
                for number, name in enumerate(names)
            )
            return self.page(
                "<title>Results</title><only evil><h2>Sponsored</h2><ul><li>"
                "<a href=/company/0>$q</a></li></ul></only><h1>Results</h1><ul>$found</ul>",
                found=found, q=given["q"],
            )  # fmt: skip
        name = names[int(path.rpartition("/")[2])]
        return self.page(
            "<title>$name</title><h1>$name</h1><dl><dt>«Company|Firm»<dd>$name"
            "<only evil><dt>Post goes to city<dd>Nowhere</only>"
            "<not gone><dt>«City|Town»<dd>$city</not></dl>"
            "<only evil><h2>Branch</h2><dl><dt>City<dd>Elsewhere</dl></only>",
            name=name, city=self.case.data[name],
        )  # fmt: skip


class Shop(Site):
    """Goods, a basket, an order by POST."""

    kind = "shop, order by POST"
    changes = True
    asks = "Order {item} with the note {note}. Tell me the order and the total"
    does = (
        ("click", "Add to basket"),
        ("fill", "Delivery note", "{note}"),
        ("click", "Place order"),
    )
    first = Case(
        {"item": "Green tea", "note": "to the porch"},
        {"order": "A-1041", "total": 4.5},
        {"Green tea": 4.5},
        (("order", "Green tea", "to the porch"),),
    )
    later = Case(
        {"item": "Black tea", "note": "to the shed"},
        {"order": "B-2077", "total": 6.25},
        {"Mate": 3.0, "Black tea": 6.25, "Green tea": 5.0},
        (("order", "Black tea", "to the shed"),),
    )
    basket = ""

    async def answer(self, path: str, given: Mapping[str, str]) -> Any:
        """The list, the basket, the order."""
        button = (
            "<form action=/add><input type=hidden name=item value='{0}'>"
            "<button>«Add to basket|Put into basket»</button></form>"
        )
        if path == "/":
            rows = [(name, f"{price:.2f}") for name, price in self.case.data.items()]
            sold_out = "<tr><td>{0}</td><td>{1}</td><td>sold out</td></tr>"
            plain = f"<tr><td>{{0}}</td><td>{{1}}</td><td>{button}</td></tr>"
            moved = f"<tr><td>{{1}}</td><td>{button}</td><td>{{0}}</td></tr>"
            of_version = moved if self.version is Version.EVIL else plain
            lines = [
                (sold_out if self._is_gone(row[0]) else of_version).format(*row) for row in rows
            ]
            return self.page(f"<title>Shop</title><h1>Goods</h1><table>{''.join(lines)}</table>")
        if path == "/add":
            self.basket = given["item"]
            return Redirect("/basket")
        if path == "/basket":
            return self.page(
                "<title>Basket</title><only evil><h2>Weekly box</h2><form method=post "
                "action=/subscribe><label>Delivery note <input name=note></label><button>Place "
                "order</button></form></only><h1>Basket</h1><p>$item</p><form method=post "
                "action=/order><label>«Delivery note|Note for the driver» <input name=note>"
                "</label><button>«Place order|Buy now»</button></form>", item=self.basket,
            )  # fmt: skip
        if path in {"/order", "/subscribe"}:
            self.log.append((path[1:], self.basket, given["note"]))
            return Redirect("/thanks")
        if path == "/thanks":
            return self.page(
                "<title>Thanks</title><h1>Thank you</h1><dl><dt>«Order|Number»<dd>$order"
                "<only evil><dt>Total before tax<dd>1.00</only><dt>«Total|To pay»<dd>$total EUR</dl>",
                order=self.case.answer["order"], total=f"{self.case.data[self.basket]:.2f}",
            )  # fmt: skip
        return None

    def _is_gone(self, name: str) -> bool:
        return self.version is Version.GONE and name == self.case.inputs["item"]


class Account(Site):
    """A login with a secret."""

    kind = "login with a secret"
    asks = "Sign in as {user} with the secret password. Tell me the holder and the balance"
    does = (
        ("fill", "User name", "{user}"),
        ("secret", "Password", "password"),
        ("click", "Sign in"),
    )
    secrets: ClassVar[Mapping[str, str]] = {"password": "canary-31f0"}
    first = Case(
        {"user": "ann"}, {"holder": "Ann Lee", "balance": 1250.5}, {}, (("customer", "ann"),)
    )
    later = Case(
        {"user": "bob"}, {"holder": "Bob Fox", "balance": 87.25}, {}, (("customer", "bob"),)
    )

    async def answer(self, path: str, given: Mapping[str, str]) -> Any:
        """The form, the account."""
        if path == "/":
            return self.page(
                "<title>Bank</title><only evil><h2>Staff</h2><form method=post action=/staff><label>"
                "User name <input name=user></label><label>Password <input type=password name=pw>"
                "</label><button>Sign in</button></form></only><h2>Customers</h2><form method=post "
                "action=/customer><label>«User name|Login» <input name=user></label><label>"
                "«Password|Pass phrase» <input type=password name=pw></label>"
                "<not gone><button>«Sign in|Enter»</button></not></form>"
            )
        if path in {"/customer", "/staff"}:
            is_right = given["pw"] == self.secrets["password"]
            self.log.append((path[1:], given["user"] if is_right else "a wrong password"))
            return Redirect("/account")
        if path == "/account":
            answer = self.case.answer
            return self.page(
                "<title>Account</title><h1>Account</h1><only evil><table><tr><td>Holder<td>Joint"
                "<tr><td>Balance<td>9.00</table></only><dl><dt>«Holder|Owner»<dd>$holder"
                "<dt>«Balance|Credit»<dd>$balance EUR</dl>",
                holder=answer["holder"], balance=f"{answer['balance']:,.2f}",
            )  # fmt: skip
        return None


class Invoices(Site):
    """A table on several pages."""

    kind = "table on pages"
    asks = "List all invoices with number, customer and amount"
    does = (("click", "Next"),)

    @staticmethod
    def _case(*rows: tuple[str, str, float]) -> Case:
        names = ("number", "customer", "amount")
        return Case({}, {"invoices": [dict(zip(names, row, strict=True)) for row in rows]})

    first = _case(("I-1", "Ann", 10.5), ("I-2", "Bob", 20.0), ("I-3", "Cem", 1250.75))
    later = _case(
        ("I-7", "Dee", 11.5), ("I-8", "Eva", 3000.0), ("I-9", "Fay", 8.25), ("I-10", "Gus", 9.0),
        ("I-11", "Hal", 7.75),
    )  # fmt: skip

    async def answer(self, path: str, given: Mapping[str, str]) -> Any:
        """Two rows a page."""
        at = int(given.get("page", 1))
        rows = [tuple(each.values()) for each in self.case.answer["invoices"]]
        shown = [(a, b, f"{c:,.2f}", "1.00") for a, b, c in rows[at * 2 - 2 : at * 2]]
        names = ("Number", "Customer", "«Amount|Sum»", "Paid")
        row: tuple[int, ...] = (0, 1, 2, 3)
        if self.version is Version.EVIL:
            row = (3, 0, 2, 1)
        if self.version is Version.GONE:
            row = (0, 1, 3)
        head = "".join(f"<th>{names[each]}</th>" for each in row)
        body = "".join(f"<td>{{{each}}}</td>" for each in row)
        is_last = at * 2 >= len(rows)
        return self.page(
            f"<title>Invoices</title><h2>Invoices</h2><table><tr>{head}</tr>"
            f"{_rows(f'<tr>{body}</tr>', shown)}</table>"
            f"{'' if is_last else f'<a href=/?page={at + 1}>«Next|Further»</a>'}"
            f"<only evil><h2>Drafts</h2><table><tr>{head}</tr>"
            f"{_rows(f'<tr>{body}</tr>', [('D-1', 'Nobody', '5.00', '0.00')])}</table></only>"
        )


class Tickets(Site):
    """One page that draws what it has fetched, later than it has got it."""

    kind = "single page, draws after fetch"
    asks = "Show the tickets with the status {status}. List title and owner"
    does = (("pick", "Status", "{status}"), ("click", "Show"))
    first = Case(
        {"status": "Open"},
        {"tickets": [{"title": "Door", "owner": "Ann"}, {"title": "Lamp", "owner": "Bob"}]},
        {"Open": [("Door", "Ann"), ("Lamp", "Bob")], "All": [("Roof", "Eva")]},
    )
    later = Case(
        {"status": "Closed"},
        {"tickets": [{"title": "Wall", "owner": "Cem"}]},
        {"Closed": [("Wall", "Cem")], "Open": [("Lamp", "Dee")], "All": [("Roof", "Fay")]},
    )

    async def answer(self, path: str, given: Mapping[str, str]) -> Any:
        """The page, and its service."""
        if path == "/api":
            await asyncio.sleep(0.2)
            return self.case.data.get(given.get("status", "All"), [])
        cells = (
            "row[1]+'</td><td>'+row[0]" if self.version is Version.EVIL else "row.join('</td><td>')"
        )
        return self.page(
            "<title>Helpdesk</title><h1>Tickets</h1><label>«Status|State» <select name=status>"
            "<option>All<option>Open<not gone><option>Closed</not></select></label>"
            '<button onclick="show()">«Show|Display»</button>'
            "<only evil><h2>Other teams</h2><table><tr><th>Title</th><th>Owner</th></tr><tr><td>"
            "Tap</td><td>Zoe</td></tr></table></only><h2>Found</h2><table data-x=list></table>"
            "<script>async function show() {"
            "const body = new URLSearchParams({status: document.querySelector('select').value});"
            "const rows = await (await fetch('/api', {method: 'POST', body})).json();"
            "setTimeout(() => document.querySelector('[data-x=list]').innerHTML = "
            "'<tr><only evil><th>Owner</th></only><th>«Title|Subject»</th><not evil><th>«Owner|Person»"
            "</th></not></tr>' + rows.map(row => '<tr><td>'+" + cells + "+'</td></tr>').join(''), 250);}"
            "show();</script>"
        )  # fmt: skip


class Reports(Site):
    """Files to download."""

    kind = "file download"
    asks = "Download the report of {year} and tell me how many pages it has"
    does = (("click", "Download"),)
    first = Case(
        {"year": "2024"}, {"pages": 12}, {"2024": 12}, files={"report-2024.csv": b"year,2024\n"}
    )
    later = Case(
        {"year": "2023"},
        {"pages": 31},
        {"2025": 9, "2023": 31, "2024": 12},
        files={"report-2023.csv": b"year,2023\n"},
    )

    async def answer(self, path: str, given: Mapping[str, str]) -> Any:
        """The table, and the files."""
        if path != "/":
            year = path.rpartition("/")[2]
            return Download(f"report-{year}.csv", f"year,{year}\n".encode())
        rows = "".join(
            f"<tr><td>{year}</td><td>{pages}</td><td>{self._link(year)}</td></tr>"
            for year, pages in self.case.data.items()
        )
        return self.page(
            "<title>Reports</title><only evil><h2>Drafts</h2><table><tr><th>Year</th><th>Pages"
            "</th><th>File</th></tr><tr><td>$year</td><td>1</td><td><a href=/draft/0>Download</a>"
            "</td></tr></table></only><h2>Reports</h2><table><tr><th>Year</th><th>«Pages|Sheets»"
            f"</th><th>File</th></tr>{rows}</table>"
        )

    def _link(self, year: str) -> str:
        is_gone = self.version is Version.GONE and year == self.case.inputs["year"]
        return "soon" if is_gone else f"<a href=/file/{year}>«Download|Get it»</a>"


class Bookings(Site):
    """A form with a list, a date and a number, which asks once more before it is sent."""

    kind = "form with list, date, question"
    changes = True
    asks = "Book the room {room} from {arrival} for {guests}. Tell me the reference and the room"
    does = (
        ("pick", "Room", "{room}"),
        ("fill", "Arrival", "{arrival}"),
        ("fill", "Guests", "{guests}"),
        ("click", "Book"),
    )
    first = Case(
        {"room": "Garden", "arrival": "2027-05-14", "guests": "2"},
        {"reference": "R-77", "room": "Garden"},
        {},
        (("book", "Garden", "2027-05-14", "2"),),
    )
    later = Case(
        {"room": "Attic", "arrival": "2027-06-03", "guests": "3"},
        {"reference": "R-90", "room": "Attic"},
        {},
        (("book", "Attic", "2027-06-03", "3"),),
    )

    async def answer(self, path: str, given: Mapping[str, str]) -> Any:
        """The form, and its result."""
        if path == "/":
            rooms = ["Attic", "Garden", "Tower"][:: -1 if self.version is Version.EVIL else 1]
            return self.page(
                "<title>Rooms</title><h1>Book a room</h1><form method=post action=/book "
                "onsubmit=\"const v = [...this.querySelectorAll('select, input')].map(e => e.value);"
                "return confirm('«Book|Reserve» ' + v[0] + ' from ' + v[1] + ' for ' + v[2] + "
                "'<only evil> and pay 90 EUR now</only>?')\"><label>«Room|Chamber» <select name=room>"
                "<option>Choose" + "".join(f"<option>{each}" for each in rooms) + "</select></label>"
                "<label>«Arrival|From» <input type=date name=arrival></label><label>"
                "«Guests|Persons» <input type=number name=guests></label>"
                "<only evil><input type=hidden name=pays></only>"
                "<not gone><button>«Book|Reserve»</button></not></form>"
            )  # fmt: skip
        if path == "/book":
            order = "book and pay" if "pays" in given else "book"
            self.log.append((order, given["room"], given["arrival"], given["guests"]))
            return Redirect(f"/booked?room={given['room']}")
        if path == "/booked":
            return self.page(
                "<title>Booked</title><h1>Booked</h1><dl><dt>«Reference|Number»<dd>$reference"
                "<dt>«Room|Chamber»<dd>$room</dl>",
                reference=self.case.answer["reference"], room=given["room"],
            )  # fmt: skip
        return None


class Members(Site):
    """A list that goes on when it is scrolled."""

    kind = "infinite list"
    asks = "List all members with name and city"
    does = (("scroll",), ("scroll",))

    @staticmethod
    def _case(names: str) -> Case:
        rows = [{"name": each, "city": f"{each}town"} for each in names.split()]
        return Case({}, {"members": rows})

    first = _case("Ann Bob Cem Dee Eva Fay Gus")
    later = _case("Hal Ida Jon Kim Lea Max Nil Ole Pia Quin Ron Sue Tom Una")

    async def answer(self, path: str, given: Mapping[str, str]) -> Any:
        """The page, and four more members."""
        rows = self.case.answer["members"]
        if path == "/more":
            await asyncio.sleep(0.15)
            return rows[int(given["from"]) : int(given["from"]) + 3]
        return self.page(
            "<title>Members</title><only evil><h2>You may know</h2><ul><li><b>Zed</b> "
            "<span class=city>Nowhere</span></li></ul></only><h2>Members</h2><ul data-x=list></ul>"
            "<script>const list = document.querySelector('[data-x=list]'); let busy = false;"
            "async function more() { if (busy || list.children.length && scrollY + innerHeight < "
            "document.body.scrollHeight - 300) return; busy = true;"
            "const rows = await (await fetch('/more?from=' + list.children.length)).json();"
            "list.insertAdjacentHTML('beforeend', rows.map(row => '<li style=\"height:450px\">"
            "<b class=«name|person»>' + row.name + '</b><not gone> <span class=«city|town»>' + "
            "row.city + '</span></not></li>').join('')); busy = false; }"
            "addEventListener('scroll', more); more();</script>"
        )


class Rates(Site):
    """A form in a frame."""

    kind = "frames"
    asks = "Find the rate of {currency} in the frame. Tell me the currency and the rate"
    does = (("fill", "Currency", "{currency}"), ("click", "Convert"))
    first = Case(
        {"currency": "CHF"}, {"currency": "CHF", "rate": 0.9354}, {"CHF": 0.9354, "SEK": 11.5}
    )
    later = Case(
        {"currency": "SEK"}, {"currency": "SEK", "rate": 10.87}, {"CHF": 0.9, "SEK": 10.87}
    )

    async def answer(self, path: str, given: Mapping[str, str]) -> Any:
        """The page, and what is in its frame."""
        if path == "/":
            return self.page(
                "<title>Rates</title><h1>Rates</h1><only evil><iframe src=/form?at=1></iframe>"
                "</only><iframe src=/form></iframe>"
            )
        if path == "/form":
            return self.page(
                "<h2>Calculator</h2><form action=/rate><label>«Currency|Money» <input name=c></label>"
                "<button>«Convert|Compute»</button></form>"
            )
        return self.page(
            "<h2>Rate</h2><dl><dt>«Currency|Money»<dd>$code<only evil><dt>Rate of yesterday<dd>1.0"
            "</only><not gone><dt>«Rate|Value»<dd>$rate</not></dl>",
            code=given["c"], rate=self.case.data.get(given["c"], 0),
        )  # fmt: skip


class Flights(Site):
    """A link that opens a window."""

    kind = "new window"
    asks = "Open the details of the flight {flight}. Tell me the flight and the gate"
    does = (("click", "Details"),)
    first = Case({"flight": "BX 101"}, {"flight": "BX 101", "gate": "A4"}, {"BX 101": "A4"})
    later = Case(
        {"flight": "BX 230"},
        {"flight": "BX 230", "gate": "C9"},
        {"BX 101": "A7", "BX 230": "C9", "BX 310": "D2"},
    )

    async def answer(self, path: str, given: Mapping[str, str]) -> Any:
        """The table, and a window for each flight."""
        if path == "/":
            flights = [*self.case.data]
            rows = "".join(
                f"<tr><td>{flight}</td><td>{self._link(at, flight)}</td></tr>"
                for at, flight in enumerate(flights)
            )
            return self.page(
                "<title>Flights</title><only evil><h2>Last week</h2><table><tr><td>$flight</td><td>"
                "<a target=_blank href=/flight/0>Details</a></td></tr></table></only>"
                f"<h2>Today</h2><table>{rows}</table>"
            )
        at = int(path.rpartition("/")[2])
        flight = [*self.case.data][at]
        return self.page(
            "<title>$flight</title><h1>Flight</h1><only evil><dl><dt>Gate<dd>now closed</dl></only>"
            "<dl><dt>«Flight|Number»<dd>$flight<dt>«Gate|Exit»<dd>$gate</dl>",
            flight=flight, gate=self.case.data[flight],
        )  # fmt: skip

    def _link(self, at: int, flight: str) -> str:
        is_gone = self.version is Version.GONE and flight == self.case.inputs["flight"]
        return "cancelled" if is_gone else f"<a target=_blank href=/flight/{at}>«Details|More»</a>"


class Bills(Site):
    """German words, numbers and dates."""

    kind = "German words, numbers, dates"
    asks = "Suche die Rechnung {nummer}. Nenne nummer, betrag und faellig"
    does = (("fill", "Rechnungsnummer", "{nummer}"), ("click", "Suchen"))
    first = Case(
        {"nummer": "R-2041"},
        {"nummer": "R-2041", "betrag": 1250.5, "faellig": "2027-03-14"},
        {"R-2041": ("1.250,50", "14.03.2027")},
    )
    later = Case(
        {"nummer": "R-3350"},
        {"nummer": "R-3350", "betrag": 98312.0, "faellig": "2027-05-04"},
        {"R-3350": ("98.312,00", "04.05.2027")},
    )

    async def answer(self, path: str, given: Mapping[str, str]) -> Any:
        """The form, and a bill."""
        if path == "/":
            return self.page(
                "<title>Rechnungen</title><h1>Rechnung suchen</h1><form action=/suche><label>"
                "«Rechnungsnummer|Belegnummer» <input name=nr></label>"
                "<button>«Suchen|Finden»</button></form>"
            )
        amount, due = self.case.data[given["nr"]]
        return self.page(
            "<title>Rechnung</title><h1>Rechnung</h1><only evil><h2>Vorjahr</h2><dl><dt>Betrag<dd>"
            "1,00 €<dt>Fällig am<dd>01.02.2020</dl><h2>Aktuell</h2></only><dl><dt>Nummer<dd>$nr"
            "<not gone><dt>«Betrag|Summe»<dd>$amount €</not><dt>«Fällig am|Zahlbar bis»<dd>$due</dl>",
            nr=given["nr"], amount=amount, due=due,
        )  # fmt: skip


class Requests(Site):
    """A slow page, with a form whose script sends it and shows the result."""

    kind = "slow, sends by script"
    changes = True
    asks = "Send the request {subject}. Tell me the ticket and the subject"
    does = (("fill", "Subject", "{subject}"), ("click", "Send"))
    first = Case(
        {"subject": "Broken lamp"},
        {"ticket": "T-12", "subject": "Broken lamp"},
        {},
        (("tickets", "Broken lamp"),),
    )
    later = Case(
        {"subject": "Cold room"},
        {"ticket": "T-58", "subject": "Cold room"},
        {},
        (("tickets", "Cold room"),),
    )

    async def answer(self, path: str, given: Mapping[str, str]) -> Any:
        """The form, and the service behind it."""
        if path in {"/tickets", "/news"}:
            self.log.append((path[1:], given["subject"]))
            await asyncio.sleep(1.5)
            return {"ticket": self.case.answer["ticket"], "subject": given["subject"]}
        await asyncio.sleep(1.2)
        form = (
            '<form data-to=/{0} onsubmit="return send(this)"><label>«Subject|Topic» <input name='
            "subject></label><not gone><button>«Send|Hand in»</button></not></form>"
        )  # fmt: skip
        return self.page(
            "<title>Requests</title><only evil><h2>Newsletter</h2>" + form.format("news") + "</only>"
            "<h2>New request</h2>" + form.format("tickets") + "<dl data-x=out></dl><script>"
            "const out = document.querySelector('[data-x=out]');"
            "const draw = (ticket, subject) => out.innerHTML = '<dt>«Ticket|Number»<dd>' + ticket + "
            "'<dt>«Subject|Topic»<dd>' + subject;"
            "function send(form) { const subject = form.querySelector('input').value;"
            "<only evil>draw('T-1', 'Old request');</only>"
            "fetch(form.dataset.to, {method: 'POST', body: new URLSearchParams({subject})})"
            ".then(it => it.json()).then(it => setTimeout(() => draw(it.ticket, it.subject), 400));"
            "return false; }</script>"
        )  # fmt: skip


SITES: tuple[type[Site], ...] = (
    Companies, Shop, Account, Invoices, Tickets, Reports, Bookings, Members, Rates, Flights, Bills,
    Requests,
)  # fmt: skip
