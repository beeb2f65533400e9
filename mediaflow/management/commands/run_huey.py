"""`manage.py run_huey`: the consumer. Huey's own command; its app is not installed, because with it
every command and every runner would load Huey with all its storages, an eighth of a second."""

from huey.contrib.djhuey.management.commands.run_huey import Command as Command
