"""`python -m kohort.web.ingest`: the HTTP process of `kohort serve`, which starts it; not for people."""

from kohort.web.ingest.process import main

if __name__ == "__main__":
    main()
