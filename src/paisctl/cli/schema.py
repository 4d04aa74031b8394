"""`paisctl schema`: the JSON Schema of the inventory, for editors."""

from __future__ import annotations

import typer

from paisctl.cli.context import settings


def schema(context: typer.Context) -> None:
    """Print the JSON Schema of the inventory, for editors.

    It knows the settings of every stack that the project can use. Editors with a YAML language
    server find it through the inventory's first line:

    \b
      # yaml-language-server: $schema=pais.schema.json

    \b
    Example:
      paisctl schema > inventory/pais.schema.json
    """
    from paisctl.diagnostics import Diagnostics
    from paisctl.inventory.schema import inventory_schema
    from paisctl.rendering.catalog import bundle_folders, load_catalog
    from paisctl.rendering.settings_schema import stack_schemas
    from paisctl.views.json import dump

    catalog = load_catalog(bundle_folders(settings(context).inventory), Diagnostics())
    typer.echo(dump(inventory_schema(stack_schemas(catalog))), nl=False)
