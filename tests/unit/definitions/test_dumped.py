# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A dump is taken apart into what it makes, with what has to be set for each."""

from __future__ import annotations

from ansible_collections.pgops.runbook.plugins.module_utils.definitions.dumped import Entry, entries_in

DUMP = """\
SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- TOC entry 7 (class 1259 OID 16399)
-- Name: f; Type: TABLE; Schema: public; Owner: midi
--

CREATE TABLE public.f (
    r integer
);


ALTER TABLE public.f OWNER TO midi;

--
-- TOC entry 9 (class 0 OID 0)
-- Dependencies: 7
-- Name: TABLE f; Type: COMMENT; Schema: public; Owner: midi
--

COMMENT ON TABLE public.f IS '
--
-- TOC entry of nobody';


SET default_tablespace = fast;

--
-- TOC entry 12 (class 2606 OID 16402)
-- Name: f f_r_fkey; Type: FK CONSTRAINT; Schema: public; Owner: midi; Tablespace: fast
--

ALTER TABLE ONLY public.f
    ADD CONSTRAINT f_r_fkey FOREIGN KEY (r) REFERENCES public.t(id);


-- Completed on 2026-11-27 03:55:17 UTC

--
-- PostgreSQL database dump complete
--

\\unrestrict x
"""


def test_entries_have_their_object_what_they_need_and_where_they_go() -> None:
    assert entries_in(DUMP) == [
        Entry(
            7,
            (1259, 16399),
            (),
            "TABLE",
            "CREATE TABLE public.f (\n    r integer\n);\n\n\nALTER TABLE public.f OWNER TO midi;",
            {},
        ),
        Entry(9, (0, 0), (7,), "COMMENT", "COMMENT ON TABLE public.f IS '\n--\n-- TOC entry of nobody';", {}),
        Entry(
            12,
            (2606, 16402),
            (),
            "FK CONSTRAINT",
            "ALTER TABLE ONLY public.f\n    ADD CONSTRAINT f_r_fkey FOREIGN KEY (r) REFERENCES public.t(id);",
            {"default_tablespace": "fast"},
        ),
    ]


def test_an_empty_dump_has_none() -> None:
    assert entries_in("") == []
